// What the queue keeps of a message: its id, its envelope, and the state of each recipient.
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

namespace relayd::queue {

// Names a message for its whole life, in logs, in Received fields and in the 250. Microseconds of the wall
// clock at its beginning, made strictly increasing, so ids sort by age. As text: 11 characters of [0-9a-v].
struct MessageId {
  std::uint64_t value = 0;
  auto operator<=>(const MessageId&) const = default;
};
std::string to_string(MessageId id);
Result<MessageId> parse_message_id(std::string_view text);

struct Recipient {
  std::string address;             // without <>; as the client wrote it
  std::string notify;              // RFC 3461 4.1, "SUCCESS,FAILURE"; empty: not given
  std::string original_recipient;  // RFC 3461 4.2, "rfc822;…" still in xtext; empty: not given
};

// RFC 5321 2.3.1, with what the client said about itself.
struct Envelope {
  std::string sender;  // without <>; empty: the null sender
  std::string
      routing_sender;  // what routing goes by: the sender, or for a null sender the header From's address
  std::vector<Recipient> recipients;
  bool eight_bit = false;   // BODY=8BITMIME
  bool smtp_utf8 = false;   // RFC 6531
  std::string ret;          // RFC 3461 4.3, "FULL" or "HDRS"; empty: not given
  std::string envelope_id;  // RFC 3461 4.4, still in xtext; empty: not given
  std::string client;       // address of the client, or "unix"
  std::string account;      // who logged in; empty: nobody
};

enum class RecipientState : std::uint8_t { pending, delivered, failed };

enum class MessageState : std::uint8_t {
  waiting,  // for its next attempt
  ready,    // handed out through on_due; the relay answers with settle() or release()
  held,     // by the operator
  failed,   // no recipient pending, at least one failed; kept for the operator until keep_failed has passed
};

// What one attempt did to one recipient.
struct RecipientOutcome {
  std::uint32_t recipient = 0;                     // index in Envelope::recipients
  RecipientState state = RecipientState::pending;  // pending: deferred
  std::uint16_t code = 0;                          // the reply's; 0: there was none
  std::string text;  // reply (enhanced code and text) or what happened, escaped, at most 512 octets
};

// What one attempt did to a message; becomes one record.
struct Outcome {
  WallTime when;
  std::string upstream;
  std::string username;
  std::string host;  // the peer that was talked to, "mx.example.net:587"; empty: none was reached
  std::vector<RecipientOutcome> recipients;
  WallTime next_attempt;  // meaningful while a recipient is pending
};

}  // namespace relayd::queue
