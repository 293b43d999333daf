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

QueueDelivery::QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Shipment& shipment,
                             queue::Content content, Terms terms)
    : queue_(queue),
      workers_(workers),
      id_(shipment.id),
      terms_(std::move(terms)),
      attempt_(shipment.attempts + 1U),
      doubted_here_(shipment.in_doubt() && shipment.doubted == terms_.upstream),
      text_(queue::to_string(id_.message())),
      content_(std::move(content)) {
  if (content_.recipients.size() > terms_.limit) content_.recipients.resize(terms_.limit);
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

Task<void> QueueDelivery::before_final_dot(std::span<const std::uint32_t> recipients) {
  queue::Shipment* const shipment = queue_.find(id_);
  if (shipment) co_await queue_.mark_in_doubt(*shipment, terms_.upstream, recipients, terms_.next_attempt());
}

}  // namespace relayd
