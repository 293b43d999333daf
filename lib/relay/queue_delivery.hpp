// QueueDelivery: a shipment of the queue, as send wants to have it.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "send/delivery.hpp"
#include "shared/async/workers.hpp"

namespace relayd {

class QueueDelivery final : public send::Delivery {
 public:
  struct Terms {
    std::string upstream;
    std::size_t limit = 0;                   // recipients
    std::function<WallTime()> next_attempt;  // should nothing be heard of this one, as if it ended now
  };

  // For the first recipients of the content.
  QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Shipment& shipment,
                queue::Content content, Terms terms);

  std::string_view id() const override { return text_; }
  const mail::Envelope& envelope() const override { return content_.envelope; }
  const std::vector<std::uint32_t>& recipients() const override { return content_.recipients; }
  std::uint64_t size() const override { return content_.size; }
  async::Task<std::string_view> next() override;
  async::Task<void> before_final_dot(std::span<const std::uint32_t> recipients) override;

  // Which attempt of the shipment this is, from 1.
  std::uint32_t attempt() const { return attempt_; }
  // An earlier attempt at this upstream may already have reached its recipients.
  bool doubted_here() const { return doubted_here_; }

 private:
  std::string_view read_file();

  queue::Queue& queue_;
  async::Workers& workers_;
  queue::ShipmentId id_;
  Terms terms_;
  std::uint32_t attempt_;
  bool doubted_here_;
  std::string text_;
  queue::Content content_;
  std::uint64_t position_ = 0;
  std::string piece_;  // of a large message
};

}  // namespace relayd
