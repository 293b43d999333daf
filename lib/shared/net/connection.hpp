// Connection: the real Stream, a TCP or unix socket with an optional TLS engine on top.
//
// Made by NetDialer and Acceptor; owned by its dialogue. One reader at a time, one writer at a time.
// Deadlines cost nothing while they are met: one alarm a connection, moved only when it would ring too late.
#pragma once

#include <memory>
#include <string>

#include "shared/async/loop.hpp"
#include "shared/async/stream.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/tls.hpp"

namespace relayd::net {

class Connection final : public async::Stream {
 public:
  struct Socket;  // asio's part

  Connection(AsioLoop& loop, std::unique_ptr<Socket> socket, std::string peer);
  ~Connection() override;

  void use(TlsClient client) { client_ = std::move(client); }
  void use(std::shared_ptr<TlsServerContext> context) { server_ = std::move(context); }

  async::Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) override;
  bool has_input() const override;
  async::Task<void> write(std::string_view bytes, Deadline deadline) override;
  async::Task<void> start_tls(Deadline deadline) override;
  const async::TlsFacts& tls() const override;
  std::optional<async::ChannelBinding> channel_binding() const override;
  const std::string& peer() const override { return peer_; }
  void interrupt() override;
  void close() override;

 private:
  async::Task<std::size_t> read_raw(std::span<char> buffer, Deadline deadline);
  async::Task<void> write_raw(std::string_view bytes, Deadline deadline);
  async::Task<void> send_output(Deadline deadline);
  void watch(Deadline deadline);
  void ring();
  [[noreturn]] void fail(int error) const;

  async::Loop& loop_;
  std::unique_ptr<Socket> socket_;
  std::string peer_;
  TlsClient client_;
  std::shared_ptr<TlsServerContext> server_;
  std::unique_ptr<TlsEngine> tls_;
  std::unique_ptr<char[]> records_;  // what arrived and the engine has not read yet
  async::Timer alarm_;
  Deadline alarm_at_ = Deadline::max();
  Deadline deadline_ = Deadline::max();
  bool reading_ = false;
  bool interrupted_ = false;
  bool timed_out_ = false;
  bool closed_ = false;
};

}  // namespace relayd::net
