// The one place where asio's asynchronous calls become awaitable. Used by the .cpp files of this room alone.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <coroutine>
#include <utility>

#include "shared/net/connection.hpp"

namespace relayd::net {

struct Connection::Socket {
  asio::generic::stream_protocol::socket stream;
};

struct IoResult {
  asio::error_code error;
  std::size_t count = 0;
};

// Awaits asio: `start` is called with a completion handler (error_code [, size_t]).
template <class Start>
class IoAwait {
 public:
  explicit IoAwait(Start start) : start_(std::move(start)) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    start_([this, waiter](const asio::error_code& error, std::size_t count = 0) {
      result_ = {error, count};
      waiter.resume();
    });
  }
  IoResult await_resume() const noexcept { return result_; }

 private:
  Start start_;
  IoResult result_;
};

}  // namespace relayd::net
