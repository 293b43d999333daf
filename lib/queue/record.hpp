// Record: the unit of the journal, as bytes and as values. Pure; FORMAT.md draws the bytes.
//
// A record is built by the loop (begin_message … finish_message, or one of the encode functions) and sealed
// by the writer, who alone knows where it will stand. Decoding trusts nothing: it refuses what is not whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "queue/message.hpp"

namespace relayd::queue {

enum class RecordType : std::uint8_t {
  message = 1,   // a message: body, envelope, and after a rewrite its progress
  outcome = 2,   // one attempt
  in_doubt = 3,  // the final dot is about to leave
  hold = 4,      // by the operator
  retry = 5,     // by the operator: due now, failed recipients are pending again
  removed = 6,   // by the operator, or kept long enough
};

// Where a record stands. Segment 0: nowhere.
struct Position {
  std::uint64_t segment = 0;
  std::uint32_t offset = 0;
  auto operator<=>(const Position&) const = default;
};

constexpr std::size_t record_alignment = 8;
constexpr std::size_t record_header = 32;
constexpr std::size_t message_head = 64;  // record header and the fixed fields; the body follows

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

// The length that such a beginning claims; nothing of it is proved yet.
std::uint32_t record_length(std::string_view bytes);

// Makes a built record sound for a generation, in the batch that begins at offset `batch`.
void seal(std::string& record, std::uint64_t generation, std::uint32_t batch);

// --- message ---

// What a message record says besides body and envelope.
struct MessageFacts {
  std::uint64_t size = 0;           // of the body
  std::uint64_t body_checksum = 0;  // of the body in its own file
  WallTime accepted;
  bool by_reference = false;  // the body is in large/<id>
  bool in_doubt = false;
  bool held = false;
};

// What became of a message until it was rewritten: the attempts, and all its outcomes as if they were one.
struct Progress {
  std::uint16_t attempts = 0;
  Outcome merged;
};

struct StoredMessage : MessageFacts {
  std::string_view body;  // empty when by_reference
  Envelope envelope;
  std::optional<Progress> progress;
};

// A buffer to which the body can be appended; in the memory of `used`.
std::string begin_message(std::string used = {});
// Completes the buffer, which holds facts.size octets of body unless they are by reference.
void finish_message(std::string& record, MessageId id, const MessageFacts& facts, const Envelope& envelope);
// Turns the bytes of a sound message record into those of its successor, with other progress and flags.
void rewrite_message(std::string& record, const std::optional<Progress>& progress, bool in_doubt, bool held);

std::optional<StoredMessage> decode_message(const Record& record);

// --- what happens to a message ---

// `previous`: the record before this one about the same message; it makes the history walkable.
struct StoredOutcome {
  Position previous;
  Outcome outcome;
};
// `final`: nothing of the message is left to do; the record removes it.
std::string encode_outcome(MessageId id, Position previous, const Outcome& outcome, bool final);
std::optional<StoredOutcome> decode_outcome(const Record& record);
bool is_final(const Record& record);

struct StoredEvent {
  Position previous;
  WallTime when;
  std::string_view upstream;  // in_doubt: which
};
std::string encode_event(RecordType type, MessageId id, Position previous, WallTime when,
                         std::string_view upstream = {});
std::optional<StoredEvent> decode_event(const Record& record);

}  // namespace relayd::queue
