// Incoming: accept's message becomes a draft of the queue, with our Received field on top.
//
// Joins accept, rewrite and queue. The header block is held until it is whole (or large), because what is
// added above it depends on what is in it; the rest goes straight to the draft.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "accept/intake.hpp"
#include "queue/queue.hpp"
#include "shared/async/loop.hpp"
#include "shared/mail/header.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class DraftIncoming final : public accept::Incoming {
 public:
  // A refusal, where mail of a sender has no way to go.
  using CheckRoute = std::function<std::optional<smtp::Reply>(const std::string& routing_sender)>;

  DraftIncoming(async::Loop& loop, telemetry::Log& log, queue::Queue& queue, accept::ClientFacts facts,
                mail::Envelope envelope, std::string hostname, CheckRoute check_route);

  bool append(std::string_view bytes) override;
  async::Task<void> flush() override;
  async::Task<std::string> commit() override;

 private:
  bool write_head();

  async::Loop& loop_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  accept::ClientFacts facts_;
  mail::Envelope envelope_;
  std::string hostname_;
  CheckRoute check_route_;
  queue::Draft draft_;
  mail::HeaderScanner scanner_;
  std::string head_;
  bool head_written_ = false;
};

}  // namespace relayd
