#include "relay/batch_stream.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {
constexpr std::size_t read_size = 64 * 1024;  // and longer than any command (RFC 5321 4.5.3.1.4)
}

BatchStream::BatchStream(async::Workers& workers, drop::File file, std::string helo, Outcome& outcome)
    : workers_(workers),
      file_(std::move(file)),
      outcome_(outcome),
      left_(file_.size),
      peer_(fmt::format("uid:{}", file_.owner)),
      said_(fmt::format("EHLO {}\r\n", helo)) {}

Task<std::size_t> BatchStream::read_some(std::span<char> buffer, Deadline) {
  if (closed_) throw IoError(IoFault::cancelled, "closed");
  if (said_.empty() && going_on_) {
    if (pending_.empty() || !data_) co_await fill();
    if (head_.done())
      take_content();
    else if (!take_line())
      outcome_.fault =
          fmt::format("it does not begin with the envelope of a message, of at most {} recipients",
                      drop::recipients_limit);
  }
  const std::size_t count = std::min(buffer.size(), said_.size());
  std::memcpy(buffer.data(), said_.data(), count);
  said_.erase(0, count);
  co_return count;
}

Task<void> BatchStream::fill() {
  if (left_ == 0 || pending_.size() >= read_size) co_return;
  int failure = 0;
  const std::string more = co_await workers_.run([this, &failure] {
    std::string piece(std::min<std::uint64_t>(read_size, left_), '\0');
    const ssize_t count = ::read(file_.descriptor.number(), piece.data(), piece.size());
    if (count < 0) failure = errno;
    piece.resize(static_cast<std::size_t>(std::max<ssize_t>(0, count)));
    return piece;
  });
  if (closed_) throw IoError(IoFault::cancelled, "closed");
  if (failure != 0) {
    outcome_.refusal = {451, {4, 3, 0}, std::strerror(failure)};
    throw IoError(IoFault::reset, std::strerror(failure));
  }
  left_ = more.empty() ? 0 : left_ - more.size();
  pending_ += more;
}

// The next line of the head, to be said when the one before was answered.
bool BatchStream::take_line() {
  std::size_t end = pending_.find("\r\n");
  if (end == std::string::npos || !head_.read(std::string_view(pending_).substr(0, end))) return false;
  if (pending_.starts_with(drop::version_line)) {
    pending_.erase(0, end + 2);
    return take_line();
  }
  said_.assign(pending_, 0, end + 2);
  pending_.erase(0, end + 2);
  data_ = head_.done();
  rcpt_ = said_.starts_with("RCPT ");
  going_on_ = false;
  return true;
}

// What was read of the message. Nothing is said of what stands behind its end: a file is one transaction.
void BatchStream::take_content() {
  std::string content;
  said_.swap(pending_);
  said_.resize(decoder_.feed(said_, content));
}

Task<void> BatchStream::write(std::string_view bytes, Deadline) {
  while (!bytes.empty()) {
    bytes.remove_prefix(replies_.feed(bytes));
    if (replies_.state() == smtp::ReplyParser::State::complete) read_reply(replies_.take());
  }
  co_return;
}

// A recipient who is refused for good is left out; the session tells the log. Where nobody else is named,
// what refuses DATA then is that refusal; who is refused for now may be taken the next time.
void BatchStream::read_reply(const smtp::Reply& reply) {
  if (rcpt_ && reply.permanent()) {
    if (refused_.code == 0) refused_ = reply;
    going_on_ = true;
    return;
  }
  const bool welcome = reply.positive() || reply.intermediate();
  has_recipient_ = has_recipient_ || (rcpt_ && welcome);
  const bool is_hopeless = refused_.code != 0 && data_ && !has_recipient_;
  if (!welcome && outcome_.refusal.code == 0) outcome_.refusal = is_hopeless ? refused_ : reply;
  outcome_.taken = outcome_.taken || (data_ && reply.positive());
  going_on_ = welcome && !outcome_.taken;
}

Task<void> BatchStream::start_tls(Deadline) {
  throw IoError(IoFault::tls, "a file speaks no TLS");
  co_return;
}

}  // namespace relayd
