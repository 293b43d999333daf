#include "relay/doubt.hpp"

#include <cstdint>

#include "tell/log.hpp"

namespace relayd {

namespace {
constexpr std::uint8_t most_doubts = 3;  // in a row, at one upstream
}

std::optional<std::size_t> doubted_step(const queue::Message& message,
                                        std::span<const route::Choice> choices) {
  for (std::size_t i = 0; message.in_doubt && i < choices.size(); ++i)
    if (choices[i].upstream->name == message.doubted) return i;
  return std::nullopt;
}

std::span<const route::Choice> choices_for(const queue::Message& message,
                                           std::span<const route::Choice> choices) {
  const std::optional<std::size_t> doubted = doubted_step(message, choices);
  if (doubted && message.doubtful == message.pending) return choices.subspan(*doubted, 1);
  return choices.subspan(message.route_step < choices.size() ? message.route_step : 0);
}

bool takes_doubtful(const queue::Message& message, std::string_view upstream,
                    std::span<const route::Choice> choices) {
  return message.doubted == upstream || !doubted_step(message, choices);
}

void hold_doubtful(queue::Queue& queue, telemetry::Log& log, config::Queue::InDoubt policy,
                   queue::Message& message, bool elsewhere) {
  if (!message.in_doubt || message.state != queue::MessageState::waiting) return;
  const bool too_often = message.doubts >= most_doubts;
  if (policy != config::Queue::InDoubt::hold && !too_often && !elsewhere) return;
  tell::held(log, tell::Doubt{queue::to_string(message.id), message.routing_sender, message.doubted,
                              message.attempts, message.doubts, elsewhere});
  queue.hold(message);
}

}  // namespace relayd
