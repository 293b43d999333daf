// RecipientOutcome: what one attempt did to one recipient of a message, and the state it left.
//
// Decided by settle, kept by the queue, shown by watch. Plain values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace relayd::mail {

enum class RecipientState : std::uint8_t {
  pending,
  delivered,
  failed,
  doubtful,  // still to be sent, and the upstream in doubt may already have taken it
};

inline std::string_view to_string(RecipientState state) {
  constexpr std::string_view names[] = {"pending", "delivered", "failed", "doubtful"};
  return names[static_cast<std::size_t>(state)];
}

constexpr bool is_unsent(RecipientState state) {
  return state == RecipientState::pending || state == RecipientState::doubtful;
}

struct RecipientOutcome {
  std::uint32_t recipient = 0;                     // index in Envelope::recipients
  RecipientState state = RecipientState::pending;  // pending: deferred
  std::uint16_t code = 0;                          // the reply's; 0: there was none
  std::string text;  // reply (enhanced code and text) or what happened, escaped, at most 512 octets
};

}  // namespace relayd::mail
