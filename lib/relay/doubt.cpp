#include "relay/doubt.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <string>

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

void hold_doubtful(queue::Queue& queue, telemetry::Log& log, config::Queue::InDoubt policy,
                   queue::Message& message, bool elsewhere) {
  if (!message.in_doubt || message.state != queue::MessageState::waiting) return;
  const bool too_often = message.doubts >= most_doubts;
  if (policy != config::Queue::InDoubt::hold && !too_often && !elsewhere) return;
  const std::string id = queue::to_string(message.id);
  const std::string times = message.doubts > 1 ? fmt::format(", {} times", message.doubts) : "";
  log.warning("held", {{"id", id},
                       {"from", message.routing_sender},
                       {"upstream", message.doubted},
                       {"attempts", message.attempts},
                       {"reason", fmt::format("{}{} may have taken it{} and no reply came. Where it has not: "
                                              "`relayd queue retry --not-taken {}`; where it has: `relayd "
                                              "queue delete {}`",
                                              message.doubted, elsewhere ? ", and another upstream," : "",
                                              times, id, id)}});
  queue.hold(message);
}

}  // namespace relayd
