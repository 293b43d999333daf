// Record: the unit of both logs, as bytes and as values. Pure; FORMAT.md draws the bytes.
//
// A record is built by the loop (begin_message … finish_message, or one of the encode functions) and sealed
// by the writer, who alone knows where it will stand. Decoding trusts nothing: it refuses what is not whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/message.hpp"

namespace relayd::queue {

enum class RecordType : std::uint8_t {
  // The message log holds this type alone.
  message = 1,  // body and envelope
  // All others stand in the state log. About one message:
  outcome = 2,    // one attempt
  in_doubt = 3,   // the final dot is about to leave
  hold = 4,       // nothing is sent until a retry
  retry = 5,      // by the operator: due now, failed recipients are pending again
  removed = 6,    // by the operator, or kept long enough
  not_taken = 7,  // by the operator: ends a doubt
  renewed = 8,    // its lifetime counts from here
  summary = 9,    // all that the records before it said
  // About the logs:
  checkpoint = 10,  // which message segments are in use, and what of them has summaries
  retired = 11,     // message segments that hold nothing living any more
  closed = 12,      // an orderly end
  // About a message again:
  told = 13,  // a report about it was written, webhooks have what they are owed, or neither need be
};

// A record of a type that this version does not know is passed over when it has this flag, and in the state
// log carried along; it ends the start when it has not.
constexpr std::uint8_t flag_may_be_ignored = 128;

// Where a record stands. Segment 0: nowhere.
struct Position {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  // In memory alone: not known yet, see Journal. The other bits of `segment` are then the submission's
  // number.
  static constexpr std::uint64_t promised = 1ULL << 63;
  constexpr bool is_promise() const { return (segment & promised) != 0; }
  auto operator<=>(const Position&) const = default;
};

constexpr std::size_t record_alignment = 8;
constexpr std::size_t record_header = 32;
constexpr std::size_t message_head = 64;  // record header and the fixed fields; the body follows

// Offsets in a record header; FORMAT.md draws it.
constexpr std::size_t mark_at = 0, length_at = 4, checksum_at = 8, id_at = 16, batch_at = 24, type_at = 28,
                      flags_at = 29, zero_at = 30;
// What the records of a generation begin with.
constexpr std::uint32_t mark(std::uint64_t generation) {
  return static_cast<std::uint32_t>(generation);
}

// A sound record; views into the bytes it was parsed from.
struct Record {
  RecordType type{};
  std::uint8_t flags = 0;
  std::uint32_t batch = 0;   // offset in the segment of the batch it was written with
  std::uint32_t length = 0;  // of the whole record
  MessageId id;
  std::string_view payload;  // what follows the record header, with the padding
};

// The record that begins `bytes`, which may go on behind it; nothing unless it is sound in this generation.
std::optional<Record> parse_record(std::string_view bytes, std::uint64_t generation);

// True when `bytes` begins as records of this generation do; the cheap question before parse_record().
bool may_be_record(std::string_view bytes, std::uint64_t generation);

// The message that such a beginning claims to be about; nothing of it is proved.
std::optional<MessageId> claimed_id(std::string_view bytes, std::uint64_t generation);
// By its type, whether a record that begins so, sound or not, is about a message and not about the logs.
bool is_about_a_message(std::string_view bytes);

// The length that such a beginning claims; nothing of it is proved yet.
std::uint32_t record_length(std::string_view bytes);

// Makes a built record sound for a generation, in the batch that begins at offset `batch`.
void seal(std::string& record, std::uint64_t generation, std::uint32_t batch);

// The bytes of a record of any type, to be sealed for another place.
std::string encode_again(const Record& record);

// --- message ---

// What a message record says besides body and envelope.
struct MessageFacts {
  std::uint64_t size = 0;           // of the body
  std::uint64_t body_checksum = 0;  // of the body in its own file
  WallTime accepted;
  bool by_reference = false;  // the body is in large/<id>
  bool held = false;          // from the moment it was taken
};

// What format 1 wrote into a message's own record when it moved; format 2 has summaries for that.
struct LegacyProgress {
  std::uint16_t attempts = 0;
  bool in_doubt = false;
  Outcome merged;
};

struct StoredMessage : MessageFacts {
  std::string_view body;  // empty when by_reference
  Envelope envelope;
  std::optional<LegacyProgress> progress;  // format 1 alone
};

// A buffer to which the body can be appended; in the memory of `used`.
std::string begin_message(std::string used = {});
// Completes the buffer, which holds facts.size octets of body unless they are by reference.
void finish_message(std::string& record, MessageId id, const MessageFacts& facts, const Envelope& envelope);

std::optional<StoredMessage> decode_message(const Record& record);

// --- what happens to a message ---

// `previous`: the record before this one about the same message; it makes the history walkable.
struct StoredOutcome {
  Position previous;
  Outcome outcome;
  bool counted = false;   // a doubt has counted this attempt already
  bool in_doubt = false;  // format 1 alone: the recipients that it leaves pending are doubtful
  Debt owed;              // of those who come to an end by it
};
// `previous` of an outcome or an event, and the same while it is not sealed yet.
Position previous_of(const Record& record);
void set_previous(std::string& record, Position previous);
// `counted`, `owed`: see StoredOutcome. `final`: nothing of the message is left to do; the record removes it.
std::string encode_outcome(MessageId id, Position previous, const Outcome& outcome, bool counted, bool final,
                           const Debt& owed = {});
std::optional<StoredOutcome> decode_outcome(const Record& record);
bool is_final(const Record& record);  // outcome, removed or told: the message is gone

// in_doubt: what an upstream may have taken from here on.
struct Doubt {
  std::string upstream;
  std::vector<std::uint32_t> recipients;  // empty: all that were still to be sent
  WallTime next_attempt;                  // if nothing more is heard
};

struct StoredEvent {
  Position previous;
  WallTime when;
  std::vector<std::uint32_t> recipients;  // of hold and not_taken; empty: all of the message
  Doubt doubt;                            // of in_doubt
  Told told;                              // of told
};
std::string encode_event(RecordType type, MessageId id, Position previous, WallTime when,
                         const std::vector<std::uint32_t>& recipients = {});
// `final`: this was all that was left to do; the record removes the message.
std::string encode_told(MessageId id, Position previous, WallTime when, const Told& told, bool final);
std::string encode_doubt(MessageId id, Position previous, WallTime when, const Doubt& doubt);
std::optional<StoredEvent> decode_event(const Record& record);

// What a summary knows of a shipment.
struct SummaryShipment {
  MessageState state = MessageState::waiting;  // waiting, held or failed
  std::uint8_t doubts = 0;
  std::uint16_t attempts = 0;
  WallTime next;  // waiting: the next attempt; failed: its removal
  std::string doubted;
};
struct SummaryOther : SummaryShipment {
  std::vector<std::uint32_t> recipients;
};

// All that is known of a living message, so that the records before may go. The shipment that it begins with
// has all recipients still to be sent who are in no other.
struct Summary : SummaryShipment {
  Position where;            // of its message record
  std::uint32_t length = 0;  // of that
  bool by_reference = false;
  std::uint64_t size = 0;
  WallTime accepted;
  WallTime lives_from;
  WallTime when;  // of this record
  std::string routing_sender;
  std::vector<RecipientState> states;
  std::vector<SummaryOther> others;
  Debt debt;
  std::uint32_t warned = 0;       // see Told
  std::optional<Outcome> merged;  // the newest reply of each recipient, if there was an attempt
};
std::string encode_summary(MessageId id, const Summary& summary);
std::optional<Summary> decode_summary(const Record& record);

// --- what happens to the logs ---

// What a row's `ids` are made of: ids alone are so alike that some of them may cancel out.
std::uint64_t id_checksum(MessageId id);

// A message segment in use.
struct SegmentRow {
  std::uint64_t sequence = 0;
  std::uint32_t scan_from = 0;  // what stands before has summaries; a start reads only what follows
  std::uint32_t end = 0;        // so far it was durable
  std::uint32_t count = 0;      // of its living messages that have summaries,
  std::uint64_t ids = 0;        // and the exclusive or of the checksums of their ids
  bool is_torn = false;         // it has holes that never were durable
};

struct Checkpoint {
  MessageId last_id;              // the newest that was given out
  std::uint64_t last_intake = 0;  // the newest segment of intake that was known
  std::uint64_t states_from = 0;  // the segments of the state log before this one mean nothing any more
  std::vector<SegmentRow> segments;
  std::uint64_t last_segment = 0;  // the newest number of a message segment; 0 where revision 1 wrote it
};
std::string encode_checkpoint(const Checkpoint& checkpoint);
std::optional<Checkpoint> decode_checkpoint(const Record& record);

// A message segment that is retired, and what its header said of those before it: its file may be used again.
struct RetiredRow {
  std::uint64_t sequence = 0;
  std::uint64_t previous = 0;
  std::uint32_t previous_end = 0;
  std::uint32_t kind = 0;  // a SegmentKind
  bool previous_is_torn = false;
};
std::string encode_retired(const std::vector<RetiredRow>& rows);
std::optional<std::vector<RetiredRow>> decode_retired(const Record& record);

// `size`: octets that the record has at least.
std::string encode_closed(std::size_t size = 0);

}  // namespace relayd::queue
