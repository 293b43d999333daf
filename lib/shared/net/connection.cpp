#include "shared/net/connection.hpp"

#include <fmt/format.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>

#include "shared/net/socket.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {
// Room for one full TLS record, so that a large message is not read in slices of slices.
constexpr std::size_t record_space = 16 * 1024 + 256;
}  // namespace

Connection::Connection(AsioLoop& loop, std::unique_ptr<Socket> socket, std::string peer)
    : loop_(loop), socket_(std::move(socket)), peer_(std::move(peer)), alarm_(loop) {}

Connection::~Connection() {
  close();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  alarm_.cancel();
  if (tls_) {
    // A close_notify costs nothing and tells the peer that this was the end; nobody waits for it.
    asio::error_code ignored;
    try {
      tls_->end();
      socket_->stream.write_some(asio::buffer(tls_->output()), ignored);
    } catch (const IoError&) {
      // TLS is broken: the peer sees the socket end.
    }
  }
  asio::error_code ignored;
  socket_->stream.close(ignored);
}

void Connection::interrupt() {
  if (!reading_) return;
  interrupted_ = true;
  asio::error_code ignored;
  socket_->stream.cancel(ignored);
}

// --- deadlines ---

void Connection::watch(Deadline deadline) {
  deadline_ = deadline;
  if (deadline >= alarm_at_) return;
  alarm_at_ = deadline;
  alarm_.at(deadline, [this] { ring(); });
}

void Connection::ring() {
  alarm_at_ = Deadline::max();
  if (deadline_ > loop_.now()) {
    if (deadline_ != Deadline::max()) watch(deadline_);
    return;
  }
  timed_out_ = true;
  asio::error_code ignored;
  socket_->stream.cancel(ignored);
}

void Connection::fail(int error) const {
  if (closed_) throw IoError(IoFault::cancelled, "the connection was closed by us");
  if (interrupted_) throw IoError(IoFault::cancelled, "the wait was interrupted");
  if (timed_out_) throw IoError(IoFault::timed_out, "the peer did not answer in time");
  throw IoError(IoFault::reset,
                fmt::format("the connection broke: {}", std::system_category().message(error)));
}

// --- the socket ---

Task<std::size_t> Connection::read_raw(std::span<char> buffer, Deadline deadline) {
  if (closed_) fail(0);
  watch(deadline);
  IoAwait wait([&](auto done) {
    socket_->stream.async_read_some(asio::buffer(buffer.data(), buffer.size()), std::move(done));
  });
  interrupted_ = false;
  reading_ = true;
  const IoResult got = co_await wait;
  reading_ = false;
  deadline_ = Deadline::max();
  if (got.error == asio::error::eof) co_return 0;
  if (got.error) fail(got.error.value());
  co_return got.count;
}

Task<void> Connection::write_raw(std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    if (closed_) fail(0);
    // The socket's buffer has room nearly always: then no wait, no handler, no turn of the loop.
    asio::error_code error;
    IoResult sent{{}, socket_->stream.write_some(asio::buffer(bytes), error)};
    if (error == asio::error::would_block) {
      watch(deadline);
      IoAwait wait(
          [&](auto done) { socket_->stream.async_write_some(asio::buffer(bytes), std::move(done)); });
      sent = co_await wait;
      deadline_ = Deadline::max();
      error = sent.error;
    }
    if (error) fail(error.value());
    bytes.remove_prefix(sent.count);
  }
}

// --- clear or TLS ---

Task<std::size_t> Connection::read_some(std::span<char> buffer, Deadline deadline) {
  if (!tls_) {
    const std::size_t count = co_await read_raw(buffer, deadline);
    co_return count;
  }
  for (;;) {
    const auto [step, count] = tls_->read(buffer);
    if (step == TlsEngine::Step::done) co_return count;
    if (step == TlsEngine::Step::ended) co_return 0;
    if (!tls_->output().empty()) co_await send_output(deadline);
    const std::size_t arrived = co_await read_raw({records_.get(), record_space}, deadline);
    if (arrived == 0) co_return 0;
    tls_->input({records_.get(), arrived});
  }
}

bool Connection::has_input() const {
  asio::error_code ignored;
  return socket_->stream.available(ignored) > 0;
}

Task<void> Connection::write(std::string_view bytes, Deadline deadline) {
  if (!tls_) {
    co_await write_raw(bytes, deadline);
    co_return;
  }
  constexpr std::size_t slice = 256 * 1024;  // bounds what waits as ciphertext
  while (!bytes.empty()) {
    tls_->write(bytes.substr(0, slice));
    bytes.remove_prefix(std::min(bytes.size(), slice));
    co_await send_output(deadline);
  }
}

Task<void> Connection::send_output(Deadline deadline) {
  std::string records = std::move(tls_->output());
  tls_->output().clear();
  co_await write_raw(records, deadline);
  if (tls_->output().empty() && records.capacity() <= 2 * record_space) {
    records.clear();
    tls_->output() = std::move(records);  // keeps its room for the next write
  }
}

Task<void> Connection::start_tls(Deadline deadline) {
  if (client_.context)
    tls_ = std::make_unique<TlsEngine>(client_);
  else if (server_)
    tls_ = std::make_unique<TlsEngine>(server_);
  else
    throw IoError(IoFault::tls, "no TLS context");
  records_ = std::make_unique<char[]>(record_space);
  for (;;) {
    TlsEngine::Step step{};
    std::exception_ptr failure;
    try {
      step = tls_->handshake();
    } catch (const IoError&) {
      failure = std::current_exception();
    }
    if (!tls_->output().empty()) co_await send_output(deadline);  // the alert too: the peer's log says why
    if (failure) std::rethrow_exception(failure);
    if (step == TlsEngine::Step::done) co_return;
    const std::size_t arrived = co_await read_raw({records_.get(), record_space}, deadline);
    if (arrived == 0) throw IoError(IoFault::tls, "the peer closed the connection during the TLS handshake");
    tls_->input({records_.get(), arrived});
  }
}

const async::TlsFacts& Connection::tls() const {
  static const async::TlsFacts none;
  return tls_ ? tls_->facts() : none;
}

std::optional<async::ChannelBinding> Connection::channel_binding() const {
  return tls_ ? tls_->channel_binding() : std::nullopt;
}

}  // namespace relayd::net
