#include "relay/give_up.hpp"

#include <algorithm>

#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::Message;
using queue::MessageId;
using queue::RecipientState;

namespace {

constexpr std::size_t at_once = 32;
// About what one takes. Those that come too early all the same wait once more, behind the others.
constexpr auto spacing = std::chrono::microseconds(250);

}  // namespace

void GiveUp::take(Message& message, tell::Ending why, const std::string& reason) {
  if (scope_.count() < at_once) return scope_.spawn(fail_all(message.id, why, reason));
  last_turn_ = std::max(last_turn_, loop_.now()) + spacing;
  queue_.release(message, last_turn_);
}

// Who is still to be reached is in the message's envelope, on disk.
Task<void> GiveUp::fail_all(MessageId id, tell::Ending why, std::string reason) {
  co_await async::sleep_until(loop_, loop_.now());  // a turn of the loop for each: many come in one
  Message* message = queue_.find(id);
  queue::Content content;
  if (!message) co_return;
  try {
    content = co_await queue_.read(*message);
  } catch (const queue::QueueError& error) {
    tell::unreadable(log_, queue::to_string(id), error.what());
    co_return;
  }
  message = queue_.find(id);
  if (!message) co_return;  // deleted meanwhile
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  std::vector<mail::Recipient> failed;
  for (std::uint32_t i = 0; i < content.states.size(); ++i) {
    const RecipientState state = content.states[i];
    if (state != RecipientState::pending && state != RecipientState::doubtful) continue;
    outcome.recipients.push_back({i, RecipientState::failed, 0, reason});
    failed.push_back(content.envelope.recipients[i]);
  }
  const std::uint32_t attempts = message->attempts;
  queue_.settle(*message, outcome);
  publisher_.publish(
      tell::GivenUp{why, queue::to_string(id), content.envelope.sender, failed, reason, attempts});
}

}  // namespace relayd
