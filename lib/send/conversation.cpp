#include "send/conversation.hpp"

#include <fmt/format.h>

namespace relayd::send {

using async::IoError;
using async::IoFault;
using async::Task;
using smtp::Reply;
using smtp::Stage;
using smtp::Trouble;

namespace {
constexpr std::size_t read_size = 4096;
}

const async::TlsFacts& Conversation::tls() const {
  static const async::TlsFacts none;
  return stream_ ? stream_->tls() : none;
}

void Conversation::begin(std::unique_ptr<async::Stream> stream) {
  stream_ = std::move(stream);
  parser_ = {};
  received_.clear();
}

void Conversation::close() {
  if (stream_) stream_->close();
}

Task<Reply> Conversation::command(std::string line, Duration patience) {
  co_await write(line, patience);
  Reply reply = co_await read_reply(patience);
  co_return reply;
}

Task<void> Conversation::write(std::string_view bytes, Duration patience) {
  co_await stream_->write(bytes, within(patience));
}

Task<Reply> Conversation::read_reply(Duration patience) {
  const Deadline deadline = within(patience);
  for (;;) {
    received_.erase(0, parser_.feed(received_));
    if (parser_.state() == smtp::ReplyParser::State::complete) co_return parser_.take();
    if (parser_.state() == smtp::ReplyParser::State::malformed)
      throw IoError(IoFault::protocol,
                    fmt::format("the server's answer is no SMTP reply: {}", parser_.fault()));
    buffer_.resize(read_size);
    const std::size_t count = co_await stream_->read_some(buffer_, deadline);
    if (count == 0) throw IoError(IoFault::closed, "the server closed the connection");
    received_.append(buffer_, 0, count);
  }
}

Event Conversation::trouble_of(const IoError& error) const {
  Trouble trouble = Trouble::broken;
  switch (error.fault()) {
    case IoFault::cancelled:
      trouble = Trouble::cancelled;
      break;
    case IoFault::tls:
      trouble = Trouble::tls;
      break;
    case IoFault::protocol:
      trouble = Trouble::malformed;
      break;
    default:
      if (stage == Stage::connect) trouble = Trouble::unreachable;
  }
  return Event(stage, trouble, error.what());
}

}  // namespace relayd::send
