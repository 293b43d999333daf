// SendmailSpool: a message on its way from standard input to the daemon, whole before anything is said.
//
// A program may write for hours, and the daemon may go away in the middle: neither must hold a connection or
// lose what was read. Small messages are in memory, others in a temporary file without a name.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace relayd::command {

class SendmailSpool {
 public:
  // Throws std::system_error: no room, or no temporary file.
  void append(std::string_view bytes);

  std::uint64_t size() const { return size_; }
  bool has_eight_bit() const { return eight_bit_; }

  // Hands out all of it from the beginning, in pieces, until `take` says false. False: it did, or the file
  // cannot be read.
  bool read(const std::function<bool(std::string_view)>& take) const;

 private:
  void spill();

  std::string memory_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_{nullptr, std::fclose};
  std::uint64_t size_ = 0;
  bool eight_bit_ = false;
};

}  // namespace relayd::command
