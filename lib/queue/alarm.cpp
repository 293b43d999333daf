#include "queue/alarm.hpp"

#include <fmt/format.h>

#include <chrono>

#include "queue/journal.hpp"

namespace relayd::queue {
namespace {

constexpr auto silence = std::chrono::minutes(1);

}  // namespace

void Alarm::say(const std::string& text) {
  ++count_;
  if (on_trouble_) on_trouble_(text);
}

void Alarm::say_cause(const std::string& text) {
  silent_until_ = loop_.now() + silence;
  say(text);
}

void Alarm::refuse(const std::exception& error) {
  const auto* const known = dynamic_cast<const QueueError*>(&error);
  const QueueError refusal = known ? *known : to_queue_error(error);
  if (loop_.now() >= silent_until_) say_cause(fmt::format("mail is refused: {}", refusal.what()));
  throw refusal;
}

}  // namespace relayd::queue
