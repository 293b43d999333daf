#include "queue/record.hpp"

#include <algorithm>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"

namespace relayd::queue {
namespace {

// Offsets in a record header, and in the fixed fields of a message.
constexpr std::size_t mark_at = 0, length_at = 4, checksum_at = 8, id_at = 16, batch_at = 24, type_at = 28,
                      flags_at = 29;
constexpr std::size_t size_at = 32, body_checksum_at = 40, accepted_at = 48, envelope_length_at = 56,
                      progress_length_at = 60;

constexpr std::uint8_t flag_by_reference = 1, flag_in_doubt = 2, flag_held = 4, flag_final = 8;

constexpr std::uint8_t flag_eight_bit = 1, flag_smtp_utf8 = 2, flag_require_tls = 4;  // of an envelope

constexpr std::size_t max_reply_text = 512;                   // of a RecipientOutcome
constexpr std::uint64_t latest_time = 7'258'118'400'000'000;  // the year 2200

std::uint32_t mark(std::uint64_t generation) {
  return static_cast<std::uint32_t>(generation);
}

std::uint64_t to_number(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

// What cannot have been a time must not overflow a clock, nor what is added to it.
WallTime to_time(std::uint64_t number) {
  return WallTime(std::chrono::microseconds(std::min(number, latest_time)));
}

std::string begin_record(RecordType type, MessageId id, std::uint8_t flags = 0) {
  std::string record(record_header, '\0');
  store(&record[id_at], id.value);
  record[type_at] = static_cast<char>(type);
  record[flags_at] = static_cast<char>(flags);
  return record;
}

void pad(std::string& record) {
  record.resize((record.size() + record_alignment - 1) / record_alignment * record_alignment);
}

void put_envelope(std::string& out, const Envelope& envelope) {
  out.push_back(static_cast<char>((envelope.eight_bit ? flag_eight_bit : 0) |
                                  (envelope.smtp_utf8 ? flag_smtp_utf8 : 0) |
                                  (envelope.require_tls ? flag_require_tls : 0)));
  put_string(out, envelope.sender);
  put_string(out, envelope.routing_sender);
  put_string(out, envelope.ret);
  put_string(out, envelope.envelope_id);
  put_string(out, envelope.client);
  put_string(out, envelope.account);
  put(out, static_cast<std::uint32_t>(envelope.recipients.size()));
  for (const Recipient& recipient : envelope.recipients) {
    put_string(out, recipient.address);
    put_string(out, recipient.notify);
    put_string(out, recipient.original_recipient);
  }
}

Envelope take_envelope(Reader& reader) {
  Envelope envelope;
  const auto flags = reader.take<std::uint8_t>();
  envelope.eight_bit = flags & flag_eight_bit;
  envelope.smtp_utf8 = flags & flag_smtp_utf8;
  envelope.require_tls = flags & flag_require_tls;
  envelope.sender = reader.take_string();
  envelope.routing_sender = reader.take_string();
  envelope.ret = reader.take_string();
  envelope.envelope_id = reader.take_string();
  envelope.client = reader.take_string();
  envelope.account = reader.take_string();
  const auto count = reader.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    Recipient& recipient = envelope.recipients.emplace_back();
    recipient.address = reader.take_string();
    recipient.notify = reader.take_string();
    recipient.original_recipient = reader.take_string();
  }
  return envelope;
}

void put_outcome(std::string& out, const Outcome& outcome) {
  put(out, to_number(outcome.when));
  put(out, to_number(outcome.next_attempt));
  put_string(out, outcome.upstream);
  put_string(out, outcome.username);
  put_string(out, outcome.host);
  put(out, static_cast<std::uint32_t>(outcome.recipients.size()));
  for (const RecipientOutcome& recipient : outcome.recipients) {
    put(out, recipient.recipient);
    put(out, static_cast<std::uint8_t>(recipient.state));
    put(out, recipient.code);
    put_string(out, std::string_view(recipient.text).substr(0, max_reply_text));
  }
}

// Nothing when it is not whole or names a state that does not exist.
std::optional<Outcome> take_outcome(Reader& reader) {
  Outcome outcome;
  outcome.when = to_time(reader.take<std::uint64_t>());
  outcome.next_attempt = to_time(reader.take<std::uint64_t>());
  outcome.upstream = reader.take_string();
  outcome.username = reader.take_string();
  outcome.host = reader.take_string();
  const auto count = reader.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    RecipientOutcome& recipient = outcome.recipients.emplace_back();
    recipient.recipient = reader.take<std::uint32_t>();
    const auto state = reader.take<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(RecipientState::failed)) return std::nullopt;
    recipient.state = static_cast<RecipientState>(state);
    recipient.code = reader.take<std::uint16_t>();
    recipient.text = reader.take_string();
  }
  if (!reader.sound()) return std::nullopt;
  return outcome;
}

void put_position(std::string& out, Position position) {
  put(out, position.segment);
  put(out, position.offset);
}

Position take_position(Reader& reader) {
  Position position;
  position.segment = reader.take<std::uint64_t>();
  position.offset = reader.take<std::uint32_t>();
  return position;
}

}  // namespace

bool may_be_record(std::string_view bytes, std::uint64_t generation) {
  return bytes.size() >= record_header && load<std::uint32_t>(&bytes[mark_at]) == mark(generation);
}

std::uint32_t record_length(std::string_view bytes) {
  return load<std::uint32_t>(&bytes[length_at]);
}

std::optional<Record> parse_record(std::string_view bytes, std::uint64_t generation) {
  if (!may_be_record(bytes, generation)) return std::nullopt;
  Record record;
  record.length = record_length(bytes);
  if (record.length < record_header || record.length > bytes.size() || record.length % record_alignment != 0)
    return std::nullopt;
  if (checksum(bytes.substr(id_at, record.length - id_at), generation) !=
      load<std::uint64_t>(&bytes[checksum_at]))
    return std::nullopt;
  record.type = static_cast<RecordType>(bytes[type_at]);
  record.flags = static_cast<std::uint8_t>(bytes[flags_at]);
  record.batch = load<std::uint32_t>(&bytes[batch_at]);
  record.id.value = load<std::uint64_t>(&bytes[id_at]);
  record.payload = bytes.substr(record_header, record.length - record_header);
  return record;
}

void seal(std::string& record, std::uint64_t generation, std::uint32_t batch) {
  store(&record[mark_at], mark(generation));
  store(&record[length_at], static_cast<std::uint32_t>(record.size()));
  store(&record[batch_at], batch);
  store(&record[checksum_at], checksum(std::string_view(record).substr(id_at), generation));
}

std::string begin_message(std::string used) {
  used.assign(message_head, '\0');
  return used;
}

void finish_message(std::string& record, MessageId id, const MessageFacts& facts, const Envelope& envelope) {
  const std::size_t body_end = record.size();
  put_envelope(record, envelope);
  store(&record[envelope_length_at], static_cast<std::uint32_t>(record.size() - body_end));
  store(&record[size_at], facts.size);
  store(&record[body_checksum_at], facts.body_checksum);
  store(&record[accepted_at], to_number(facts.accepted));
  store(&record[id_at], id.value);
  record[type_at] = static_cast<char>(RecordType::message);
  record[flags_at] = static_cast<char>((facts.by_reference ? flag_by_reference : 0) |
                                       (facts.in_doubt ? flag_in_doubt : 0) | (facts.held ? flag_held : 0));
  pad(record);
}

void rewrite_message(std::string& record, const std::optional<Progress>& progress, bool in_doubt, bool held) {
  const auto old_flags = static_cast<std::uint8_t>(record[flags_at]);
  const bool by_reference = old_flags & flag_by_reference;
  const std::uint64_t body = by_reference ? 0 : load<std::uint64_t>(&record[size_at]);
  record.resize(message_head + body + load<std::uint32_t>(&record[envelope_length_at]));
  const std::size_t envelope_end = record.size();
  if (progress) {
    put(record, progress->attempts);
    put_outcome(record, progress->merged);
  }
  store(&record[progress_length_at], static_cast<std::uint32_t>(record.size() - envelope_end));
  record[flags_at] = static_cast<char>((by_reference ? flag_by_reference : 0) |
                                       (in_doubt ? flag_in_doubt : 0) | (held ? flag_held : 0));
  pad(record);
}

std::optional<StoredMessage> decode_message(const Record& record) {
  if (record.type != RecordType::message) return std::nullopt;
  Reader reader(record.payload);
  StoredMessage message;
  message.size = reader.take<std::uint64_t>();
  message.body_checksum = reader.take<std::uint64_t>();
  message.accepted = to_time(reader.take<std::uint64_t>());
  const auto envelope_length = reader.take<std::uint32_t>();
  const auto progress_length = reader.take<std::uint32_t>();
  message.by_reference = record.flags & flag_by_reference;
  message.in_doubt = record.flags & flag_in_doubt;
  message.held = record.flags & flag_held;
  if (!message.by_reference) message.body = reader.take_bytes(message.size);
  Reader envelope(reader.take_bytes(envelope_length));
  message.envelope = take_envelope(envelope);
  if (!reader.sound() || !envelope.sound()) return std::nullopt;
  if (progress_length == 0) return message;
  Reader progress(reader.take_bytes(progress_length));
  const auto attempts = progress.take<std::uint16_t>();
  std::optional<Outcome> merged = take_outcome(progress);
  if (!reader.sound() || !merged) return std::nullopt;
  merged->in_doubt = message.in_doubt;
  message.progress = Progress{attempts, std::move(*merged)};
  return message;
}

std::string encode_outcome(MessageId id, Position previous, const Outcome& outcome, bool final) {
  std::string record = begin_record(RecordType::outcome, id,
                                    (final ? flag_final : 0) | (outcome.in_doubt ? flag_in_doubt : 0));
  put_position(record, previous);
  put_outcome(record, outcome);
  pad(record);
  return record;
}

std::optional<StoredOutcome> decode_outcome(const Record& record) {
  if (record.type != RecordType::outcome) return std::nullopt;
  Reader reader(record.payload);
  const Position previous = take_position(reader);
  std::optional<Outcome> outcome = take_outcome(reader);
  if (!outcome) return std::nullopt;
  outcome->in_doubt = record.flags & flag_in_doubt;
  return StoredOutcome{previous, std::move(*outcome)};
}

bool is_final(const Record& record) {
  return record.type == RecordType::outcome && (record.flags & flag_final);
}

std::string encode_event(RecordType type, MessageId id, Position previous, WallTime when,
                         std::string_view upstream) {
  std::string record = begin_record(type, id);
  put_position(record, previous);
  put(record, to_number(when));
  put_string(record, upstream);
  pad(record);
  return record;
}

std::optional<StoredEvent> decode_event(const Record& record) {
  if (record.type < RecordType::in_doubt || record.type > RecordType::removed) return std::nullopt;
  Reader reader(record.payload);
  const Position previous = take_position(reader);
  const WallTime when = to_time(reader.take<std::uint64_t>());
  const std::string_view upstream = reader.take_string();
  if (!reader.sound()) return std::nullopt;
  return StoredEvent{previous, when, upstream};
}

}  // namespace relayd::queue
