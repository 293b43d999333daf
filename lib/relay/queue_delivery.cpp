#include "relay/queue_delivery.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shared/async/stream.hpp"

namespace relayd {

using async::Task;

namespace {
constexpr std::uint64_t piece_size = 256 * 1024;
}

QueueDelivery::QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Message& message,
                             queue::Content content, std::string upstream, std::size_t limit)
    : queue_(queue),
      workers_(workers),
      id_(message.id),
      upstream_(std::move(upstream)),
      was_in_doubt_(message.in_doubt),
      text_(queue::to_string(message.id)),
      content_(std::move(content)) {
  for (std::uint32_t i = 0; i < content_.states.size() && recipients_.size() < limit; ++i)
    if (content_.states[i] == queue::RecipientState::pending) recipients_.push_back(i);
}

Task<std::string_view> QueueDelivery::next() {
  if (content_.file >= 0) {
    const std::string_view piece = co_await workers_.run([this] { return read_file(); });
    co_return piece;
  }
  const std::string_view rest = std::string_view(content_.body).substr(position_);
  position_ = content_.body.size();
  co_return rest;
}

std::string_view QueueDelivery::read_file() {
  piece_.resize(std::min(piece_size, content_.size - position_));
  std::size_t filled = 0;
  while (filled < piece_.size()) {
    const ssize_t count = ::pread(content_.file, piece_.data() + filled, piece_.size() - filled,
                                  static_cast<off_t>(position_ + filled));
    if (count < 0 && errno == EINTR) continue;
    // The connection must go before its final dot: to the dialogue it is we who close it.
    if (count <= 0) throw async::IoError(async::IoFault::cancelled, "the message's file cannot be read");
    filled += static_cast<std::size_t>(count);
  }
  position_ += filled;
  return piece_;
}

Task<void> QueueDelivery::before_final_dot() {
  if (queue::Message* message = queue_.find(id_)) co_await queue_.mark_in_doubt(*message, upstream_);
}

}  // namespace relayd
