// QueueDelivery: a message of the queue, as send wants to have it.
#pragma once

#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "send/delivery.hpp"
#include "shared/async/workers.hpp"

namespace relayd {

class QueueDelivery final : public send::Delivery {
 public:
  // For the first `limit` recipients that are pending.
  QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Message& message,
                queue::Content content, std::string upstream, std::size_t limit);

  std::string_view id() const override { return text_; }
  const mail::Envelope& envelope() const override { return content_.envelope; }
  const std::vector<std::uint32_t>& recipients() const override { return recipients_; }
  std::uint64_t size() const override { return content_.size; }
  async::Task<std::string_view> next() override;
  async::Task<void> before_final_dot() override;

  // An earlier attempt may already have been taken.
  bool was_in_doubt() const { return was_in_doubt_; }

 private:
  std::string_view read_file();

  queue::Queue& queue_;
  async::Workers& workers_;
  queue::MessageId id_;
  std::string upstream_;
  bool was_in_doubt_;
  std::string text_;
  queue::Content content_;
  std::vector<std::uint32_t> recipients_;
  std::uint64_t position_ = 0;
  std::string piece_;  // of a large message
};

}  // namespace relayd
