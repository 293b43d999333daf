#include "queue/message.hpp"

#include <algorithm>

namespace relayd::queue {
namespace {

// Base 32 in ASCII order, so that the texts sort as the numbers do. 11 digits carry 55 bits: microseconds up
// to the year 3111.
constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuv";
constexpr std::size_t id_length = 11;

}  // namespace

std::string to_string(MessageId id) {
  std::string text(id_length, '0');
  for (std::uint64_t rest = id.value; char& digit : text) {
    digit = digits[rest & 31];
    rest >>= 5;
  }
  std::reverse(text.begin(), text.end());
  return text;
}

Result<MessageId> parse_message_id(std::string_view text) {
  if (text.size() != id_length) return Error{"a message id has 11 characters"};
  MessageId id;
  for (const char letter : text) {
    const std::size_t digit = digits.find(letter);
    if (digit == std::string_view::npos) return Error{"a message id consists of 0-9 and a-v"};
    id.value = id.value << 5 | digit;
  }
  return id;
}

std::string_view to_string(HistoryEvent::Kind kind) {
  constexpr std::string_view names[] = {"earlier", "attempt",   "in_doubt", "held", "retried",
                                        "removed", "not_taken", "renewed",  "told"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(MessageState state) {
  constexpr std::string_view names[] = {"waiting", "ready", "held", "failed", "reporting"};
  return names[static_cast<std::size_t>(state)];
}

}  // namespace relayd::queue
