// QueueDelivery: a message of the queue, as send wants to have it.
#pragma once

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
    bool with_doubtful = true;  // offered also to those whom another upstream may have reached already
    std::size_t limit = 0;      // recipients
    std::function<WallTime()> next_attempt;  // should nothing be heard of this one, as if it ended now
  };

  // For the first recipients that are still to be reached.
  QueueDelivery(queue::Queue& queue, async::Workers& workers, const queue::Message& message,
                queue::Content content, Terms terms);

  std::string_view id() const override { return text_; }
  const mail::Envelope& envelope() const override { return content_.envelope; }
  const std::vector<std::uint32_t>& recipients() const override { return recipients_; }
  std::uint64_t size() const override { return content_.size; }
  async::Task<std::string_view> next() override;
  async::Task<void> before_final_dot(std::span<const std::uint32_t> recipients) override;

  // Which attempt of the message this is, from 1.
  std::uint32_t attempt() const { return attempt_; }
  // Of all recipients of the message, before it.
  std::span<const queue::RecipientState> states() const { return content_.states; }
  // An earlier attempt at this upstream may already have reached those who are doubtful.
  bool doubted_here() const { return doubted_here_; }
  // There are such recipients, and this is not for them.
  bool leaves_doubtful() const { return leaves_doubtful_; }

 private:
  std::string_view read_file();

  queue::Queue& queue_;
  async::Workers& workers_;
  queue::MessageId id_;
  Terms terms_;
  std::uint32_t attempt_;
  bool doubted_here_;  // at this upstream, if anywhere
  bool leaves_doubtful_ = false;
  std::string text_;
  queue::Content content_;
  std::vector<std::uint32_t> recipients_;
  std::uint64_t position_ = 0;
  std::string piece_;  // of a large message
};

}  // namespace relayd
