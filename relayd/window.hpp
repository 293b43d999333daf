// Window: the admin socket of a running daemon, from the side of the command that asks.
//
// Used by commands that ask the daemon. Blocking: such a process has nothing else to do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace relayd::command {

class Window {
 public:
  // `patience` with each step of the daemon; 0: without end.
  explicit Window(const std::string& path, std::chrono::seconds patience = std::chrono::seconds(0));
  ~Window();
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  // False: nobody listens there, or we may not ask; errno says which, just after the constructor.
  bool connected() const { return connected_; }

  bool send(std::string_view bytes);
  // The next line without its '\n'; false: the daemon has gone, or took too long.
  bool line(std::string& out);
  // Copies what follows to standard output: as it is, or as it may be shown.
  bool copy(std::uint64_t octets, bool as_it_is);

 private:
  bool more();

  int descriptor_;
  bool connected_ = false;
  std::string received_;
  std::size_t begin_ = 0;
};

// That no daemon answers there, by errno, and what to do.
std::string why_no_answer(const std::string& path);
// The same on standard error. The exit status for it.
int no_answer(const std::string& path);

// The value of a key as it may be shown; empty when it is not there.
std::string text(const nlohmann::json& object, const char* key);

}  // namespace relayd::command
