#include "sendmail_spool.hpp"

#include <cerrno>
#include <system_error>

#include "shared/base/ascii.hpp"

namespace relayd::command {

namespace {

constexpr std::size_t memory_limit = 1 << 20;

[[noreturn]] void fail() {
  throw std::system_error(errno, std::generic_category(), "cannot keep the message in a temporary file");
}

}  // namespace

void SendmailSpool::append(std::string_view bytes) {
  eight_bit_ = eight_bit_ || !ascii::all_ascii(bytes);
  size_ += bytes.size();
  memory_ += bytes;
  if (memory_.size() >= memory_limit) spill();
}

void SendmailSpool::spill() {
  if (!file_) file_.reset(std::tmpfile());
  if (!file_ || std::fwrite(memory_.data(), 1, memory_.size(), file_.get()) != memory_.size()) fail();
  if (std::fflush(file_.get()) != 0) fail();
  memory_.clear();
}

bool SendmailSpool::read(const std::function<bool(std::string_view)>& take) const {
  if (file_) {
    std::rewind(file_.get());
    std::string piece(memory_limit, '\0');
    while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), file_.get()))
      if (!take(std::string_view(piece).substr(0, count))) return false;
    if (std::ferror(file_.get())) return false;
  }
  return memory_.empty() || take(memory_);
}

}  // namespace relayd::command
