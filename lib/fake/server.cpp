#include "fake/server.hpp"

#include <utility>
#include <vector>

#include "shared/smtp/data.hpp"

namespace relayd::fake {

using async::IoError;
using async::IoFault;
using async::Task;
using Next = Dialogue::Next;

namespace {

constexpr std::size_t connections_at_most = 500;
constexpr std::size_t read_size = 16 * 1024;

Task<void> read_more(async::Stream& stream, smtp::LineBuffer& input, std::size_t wanted, Deadline deadline) {
  const std::span<char> space = input.space(wanted);
  const std::size_t count = co_await stream.read_some(space, deadline);
  if (count == 0) throw IoError(IoFault::closed, "the client is gone");
  input.filled(count);
}

}  // namespace

Server::Server(net::AsioLoop& loop, Part& part, const std::string& host, std::uint16_t port,
               smtp::TlsMode tls, std::shared_ptr<net::TlsServerContext> certificate)
    : loop_(loop), part_(part), tls_(tls) {
  acceptor_ = net::Acceptor::tcp(
      loop, host, port, std::move(certificate),
      [this](std::unique_ptr<async::Stream> stream) { scope_.spawn(serve(std::move(stream))); });
  acceptor_->refuse([this](const std::string&) -> std::optional<std::string_view> {
    if (streams_.size() < connections_at_most) return std::nullopt;
    return "";
  });
}

Deadline Server::patience() const {
  return loop_.now() + std::chrono::minutes(5);
}

void Server::shut_down() {
  acceptor_->close();
  const std::vector<async::Stream*> streams(streams_.begin(), streams_.end());
  for (async::Stream* stream : streams)
    if (streams_.contains(stream)) stream->close();
}

Task<void> Server::serve(std::unique_ptr<async::Stream> stream) {
  streams_.insert(stream.get());
  try {
    co_await converse(*stream);
  } catch (const IoError&) {  // it is gone, and so is what it was about to say
  }
  stream->close();
  streams_.erase(stream.get());
}

Task<void> Server::converse(async::Stream& stream) {
  if (tls_ == smtp::TlsMode::implicit) co_await stream.start_tls(patience());
  Dialogue dialogue(part_, tls_ == smtp::TlsMode::starttls);
  smtp::LineBuffer input;
  Dialogue::Answer answer = dialogue.greet();
  for (;;) {
    if (!answer.text.empty()) co_await stream.write(answer.text, patience());
    if (answer.next == Next::nothing) co_return;
    if (answer.next == Next::handshake) {
      if (!input.empty()) co_return;  // said in the clear, to be read as if within TLS (CVE-2011-0411)
      co_await stream.start_tls(patience());
      dialogue.encrypted();
    }
    if (answer.next == Next::content) {
      std::uint64_t octets = 0;
      const std::string content = co_await receive(stream, input, octets);
      answer = dialogue.take(content, octets);
      continue;
    }
    std::optional<smtp::LineBuffer::Line> line = input.line();
    while (!line) {
      co_await read_more(stream, input, smtp::LineBuffer::idle_capacity / 2, patience());
      line = input.line();
    }
    answer = line->too_long ? dialogue.read_too_long() : dialogue.read(line->text);
  }
}

// What is over the limit is counted and dropped.
Task<std::string> Server::receive(async::Stream& stream, smtp::LineBuffer& input, std::uint64_t& octets) {
  const std::uint64_t limit = part_.size_limit();
  smtp::DataDecoder decoder(smtp::DataDecoder::Content::message);
  std::string content;
  std::string piece;
  while (!decoder.done()) {
    if (input.empty()) co_await read_more(stream, input, read_size, patience());
    piece.clear();
    input.consume(decoder.feed(input.rest(), piece));
    octets += piece.size();
    if (octets <= limit) content += piece;
  }
  co_return content;
}

}  // namespace relayd::fake
