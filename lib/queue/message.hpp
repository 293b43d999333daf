// What the queue says of a message besides its envelope: ids, states, outcomes, history.
//
// Stands between accept (which fills an Envelope) and send (which reads it back). Plain values; no I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/base/time.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/recipient_outcome.hpp"

namespace relayd::queue {

// Names a message for its whole life, in logs, in Received fields and in the 250. Microseconds of the wall
// clock at its beginning, made strictly increasing, so ids sort by age. As text: 11 characters of [0-9a-v].
struct MessageId {
  static constexpr unsigned bits = 55;

  std::uint64_t value = 0;
  auto operator<=>(const MessageId&) const = default;
};
std::string to_string(MessageId id);
Result<MessageId> parse_message_id(std::string_view text);

// Names a shipment: its message, and its number among those that the message has at a time. It sorts as its
// message does. A number is given again once its shipment has gone, and none is known to the disk.
struct ShipmentId {
  static constexpr unsigned number_bits = 64 - MessageId::bits;
  static constexpr std::uint16_t numbers = 1 << number_bits;

  std::uint64_t value = 0;
  constexpr ShipmentId() = default;
  constexpr ShipmentId(MessageId message, std::uint16_t number)
      : value(message.value << number_bits | number) {}
  static constexpr ShipmentId of(std::uint64_t value) {
    ShipmentId id;
    id.value = value;
    return id;
  }
  constexpr MessageId message() const { return {value >> number_bits}; }
  constexpr std::uint16_t number() const { return static_cast<std::uint16_t>(value % numbers); }
  auto operator<=>(const ShipmentId&) const = default;
};

using mail::Envelope;
using mail::is_unsent;
using mail::Recipient;
using mail::RecipientOutcome;
using mail::RecipientState;
using mail::to_string;

enum class MessageState : std::uint8_t {
  waiting,    // for its next attempt
  ready,      // handed out through on_due; the relay answers with settle() or release()
  held,       // until the operator says otherwise
  failed,     // no recipient pending, at least one failed; kept for the operator until keep_failed has passed
  reporting,  // all are delivered; that is still to be told, by a report or to webhooks
};

// What one attempt did to a shipment; becomes one record. It may name some of the recipients only; none: all.
struct Outcome {
  WallTime when;
  std::string upstream;
  std::string username;
  std::string host;  // the peer that was talked to, "mx.example.net:587"; empty: none was reached
  std::vector<RecipientOutcome> recipients;
  WallTime next_attempt;  // meaningful while a recipient is still to be sent
};

// What is still to be told of a message.
struct Debt {
  // Those who have come to an end of which it is owed, ascending.
  std::vector<std::uint32_t> recipients = {};  // a report
  std::vector<std::uint32_t> events = {};      // webhooks
  bool expanded = false;                       // see Envelope::expanded
  // The newest id given out at the last retry: a report with an earlier one is of before.
  MessageId since = {};
  bool owes_report() const { return !recipients.empty() || expanded; }
  bool empty() const { return !owes_report() && events.empty(); }
  bool operator==(const Debt&) const = default;
};

// Of a message: what was told, or need not be.
struct Told {
  Debt what;                 // no longer owed
  std::uint32_t warned = 0;  // a delay warning for this age in seconds, and all below it; 0: none
  std::string report;        // the id of the report; empty: none was written
};

// One thing that happened to a message after it was accepted.
struct HistoryEvent {
  enum class Kind : std::uint8_t {
    earlier,   // the attempts up to then, with each recipient's newest reply, as a summary kept them
    attempt,   // `outcome` holds
    in_doubt,  // the final dot was about to leave
    held,
    retried,
    removed,
    not_taken,  // the operator knew that it had not been taken
    renewed,    // its lifetime counts from here
    told,       // somebody was sent a report about it, or need not be
  };
  Kind kind = Kind::attempt;
  WallTime when;
  std::uint16_t attempts = 0;  // `earlier`: how many
  Outcome outcome;             // attempt, earlier
  std::string report;          // told: the report's id; empty: none was written
};
// Nobody is left to be sent.
constexpr bool has_ended(MessageState state) {
  return state == MessageState::failed || state == MessageState::reporting;
}
std::string_view to_string(HistoryEvent::Kind kind);
std::string_view to_string(MessageState state);

}  // namespace relayd::queue
