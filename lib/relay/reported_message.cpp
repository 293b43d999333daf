#include "relay/reported_message.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "relay/lifetime.hpp"
#include "rewrite/outgoing.hpp"

namespace relayd {

using async::Task;
using queue::HistoryEvent;
using queue::QueueError;
using queue::RecipientOutcome;
using tell::ReportedRecipient;

namespace {

// More than any header that is taken has.
constexpr std::uint64_t beginning = 1 << 20;

// Who gave up without an attempt had no upstream.
void take_end(ReportedRecipient& recipient, const RecipientOutcome& outcome) {
  recipient.expired = is_expiry(outcome.text);
  if (recipient.expired && recipient.last_attempt != WallTime()) return;
  recipient.code = outcome.code;
  recipient.text = outcome.text;
  recipient.host.clear();
}

void take(ReportedRecipient& recipient, const queue::Outcome& attempt, const RecipientOutcome& outcome) {
  if (attempt.upstream.empty()) return take_end(recipient, outcome);
  recipient.code = outcome.code;
  recipient.text = outcome.text;
  recipient.upstream = attempt.upstream;
  recipient.host = attempt.host;
  recipient.last_attempt = attempt.when;
  recipient.expired = false;
}

}  // namespace

std::string read_beginning(const queue::Content& content) {
  std::string text(std::min(content.size, beginning), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t count =
        ::pread(content.file, text.data() + filled, text.size() - filled, static_cast<off_t>(filled));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw QueueError(QueueError::Kind::failed, "the message's file cannot be read");
    filled += static_cast<std::size_t>(count);
  }
  return text;
}

std::vector<std::uint32_t> ReportedMessage::in_state(const std::vector<std::uint32_t>& recipients,
                                                     queue::RecipientState state) const {
  std::vector<std::uint32_t> found;
  for (const std::uint32_t each : recipients)
    if (each < states.size() && states[each] == state) found.push_back(each);
  return found;
}

std::vector<ReportedRecipient> ReportedMessage::reported(const std::vector<std::uint32_t>& recipients) const {
  std::vector<ReportedRecipient> result;
  std::unordered_map<std::uint32_t, std::size_t> place;
  for (const std::uint32_t each : recipients) {
    place.emplace(each, result.size());
    result.push_back({.recipient = each});
  }
  for (const HistoryEvent& event : history)
    for (const RecipientOutcome& outcome : event.outcome.recipients) {
      const auto found = place.find(outcome.recipient);
      const bool says = outcome.code != 0 || !outcome.text.empty();
      if (found != place.end() && says) take(result[found->second], event.outcome, outcome);
    }
  return result;
}

Task<bool> read_message(queue::Queue& queue, async::Workers& workers, queue::MessageId id,
                        ReportedMessage& into) {
  queue::Message* message = queue.find(id);
  if (!message) co_return false;
  into.id = id;
  into.accepted = message->accepted;
  queue::Content content = co_await queue.look(*message, queue::Queue::Wanted::header);
  into.is_whole = content.file < 0;
  const auto read = [&] { into.text = read_beginning(content); };
  if (into.is_whole)
    into.text = std::move(content.body);
  else
    co_await workers.run(read);
  into.envelope = std::move(content.envelope);
  into.states = std::move(content.states);
  into.header = rewrite::header_of(into.text);
  into.marks = tell::header_marks(into.header);
  message = queue.find(id);
  if (!message) co_return false;
  std::vector<HistoryEvent> history = co_await queue.history(*message);
  into.history = std::move(history);
  co_return queue.find(id) != nullptr;
}

}  // namespace relayd
