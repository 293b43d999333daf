#include "queue/record.hpp"

#include <algorithm>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"

namespace relayd::queue {
namespace {

// Offsets in the fixed fields of a message.
constexpr std::size_t size_at = 32, body_checksum_at = 40, accepted_at = 48, envelope_length_at = 56,
                      progress_length_at = 60;

constexpr std::uint8_t flag_by_reference = 1, flag_in_doubt = 2, flag_held = 4, flag_final = 8,
                       flag_counted = 16;

constexpr std::uint32_t flag_torn = 1U << 31;  // in the rows about segments

constexpr std::uint8_t flag_eight_bit = 1, flag_smtp_utf8 = 2, flag_require_tls = 4;  // of an envelope

constexpr std::size_t max_reply_text = 512;                   // of a RecipientOutcome
constexpr std::uint64_t latest_time = 7'258'118'400'000'000;  // the year 2200

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
    if (state > static_cast<std::uint8_t>(RecipientState::doubtful)) return std::nullopt;
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

std::optional<MessageId> claimed_id(std::string_view bytes, std::uint64_t generation) {
  if (!may_be_record(bytes, generation)) return std::nullopt;
  const MessageId id{load<std::uint64_t>(&bytes[id_at])};
  return id.value == 0 ? std::nullopt : std::optional(id);
}

bool is_about_a_message(std::string_view bytes) {
  const auto type = static_cast<RecordType>(bytes[type_at]);
  return type != RecordType::checkpoint && type != RecordType::retired && type != RecordType::closed;
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
  record[flags_at] =
      static_cast<char>((facts.by_reference ? flag_by_reference : 0) | (facts.held ? flag_held : 0));
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
  message.progress = LegacyProgress{attempts, (record.flags & flag_in_doubt) != 0, std::move(*merged)};
  return message;
}

Position previous_of(const Record& record) {
  Reader reader(record.payload);
  return take_position(reader);
}

void set_previous(std::string& record, Position previous) {
  std::string bytes;
  put_position(bytes, previous);
  record.replace(record_header, bytes.size(), bytes);
}

std::string encode_outcome(MessageId id, Position previous, const Outcome& outcome, bool counted,
                           bool final) {
  std::string record =
      begin_record(RecordType::outcome, id,
                   static_cast<std::uint8_t>((final ? flag_final : 0) | (counted ? flag_counted : 0)));
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
  return StoredOutcome{previous, std::move(*outcome), (record.flags & flag_counted) != 0,
                       (record.flags & flag_in_doubt) != 0};
}

bool is_final(const Record& record) {
  return record.type == RecordType::removed ||
         (record.type == RecordType::outcome && (record.flags & flag_final));
}

namespace {

std::string begin_event(RecordType type, MessageId id, Position previous, WallTime when) {
  std::string record = begin_record(type, id);
  put_position(record, previous);
  put(record, to_number(when));
  return record;
}

bool is_event(RecordType type) {
  return type >= RecordType::in_doubt && type <= RecordType::renewed;
}

}  // namespace

std::string encode_event(RecordType type, MessageId id, Position previous, WallTime when) {
  std::string record = begin_event(type, id, previous, when);
  pad(record);
  return record;
}

std::string encode_doubt(MessageId id, Position previous, WallTime when, const Doubt& doubt) {
  std::string record = begin_event(RecordType::in_doubt, id, previous, when);
  put_string(record, doubt.upstream);
  put(record, to_number(doubt.next_attempt));
  put(record, static_cast<std::uint32_t>(doubt.recipients.size()));
  for (const std::uint32_t recipient : doubt.recipients) put(record, recipient);
  pad(record);
  return record;
}

std::optional<StoredEvent> decode_event(const Record& record) {
  if (!is_event(record.type)) return std::nullopt;
  Reader reader(record.payload);
  StoredEvent event;
  event.previous = take_position(reader);
  event.when = to_time(reader.take<std::uint64_t>());
  if (!reader.sound()) return std::nullopt;
  if (record.type != RecordType::in_doubt) return event;
  event.doubt.upstream = reader.take_string();
  if (!reader.sound()) return std::nullopt;
  if (reader.left() < sizeof(std::uint64_t) + sizeof(std::uint32_t)) return event;  // format 1 ends here
  event.doubt.next_attempt = to_time(reader.take<std::uint64_t>());
  const auto count = reader.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i)
    event.doubt.recipients.push_back(reader.take<std::uint32_t>());
  if (!reader.sound()) return std::nullopt;
  return event;
}

// --- summary ---

namespace {

constexpr std::uint32_t states_per_octet = 4;

void put_states(std::string& out, const std::vector<RecipientState>& states) {
  put(out, static_cast<std::uint32_t>(states.size()));
  std::uint8_t octet = 0;
  for (std::size_t i = 0; i < states.size(); ++i) {
    octet = static_cast<std::uint8_t>(octet | static_cast<unsigned>(states[i]) << (i % states_per_octet * 2));
    if (i % states_per_octet != states_per_octet - 1 && i + 1 != states.size()) continue;
    put(out, octet);
    octet = 0;
  }
}

std::vector<RecipientState> take_states(Reader& reader) {
  const auto count = reader.take<std::uint32_t>();
  const std::string_view packed =
      reader.take_bytes((std::uint64_t{count} + states_per_octet - 1) / states_per_octet);
  std::vector<RecipientState> states;
  if (!reader.sound()) return states;
  states.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i)
    states.push_back(static_cast<RecipientState>(
        static_cast<unsigned char>(packed[i / states_per_octet]) >> (i % states_per_octet * 2) & 3));
  return states;
}

}  // namespace

std::string encode_summary(MessageId id, const Summary& summary) {
  std::string record =
      begin_record(RecordType::summary, id, summary.by_reference ? flag_by_reference : std::uint8_t{0});
  put_position(record, summary.where);
  put(record, summary.length);
  put(record, static_cast<std::uint8_t>(summary.state));
  put(record, summary.doubts);
  put(record, summary.attempts);
  put(record, summary.size);
  put(record, to_number(summary.accepted));
  put(record, to_number(summary.lives_from));
  put(record, to_number(summary.when));
  put(record, to_number(summary.next));
  put_string(record, summary.routing_sender);
  put_string(record, summary.doubted);
  put_states(record, summary.states);
  put(record, static_cast<std::uint8_t>(summary.merged.has_value()));
  if (summary.merged) put_outcome(record, *summary.merged);
  pad(record);
  return record;
}

std::optional<Summary> decode_summary(const Record& record) {
  if (record.type != RecordType::summary) return std::nullopt;
  Reader reader(record.payload);
  Summary summary;
  summary.by_reference = record.flags & flag_by_reference;
  summary.where = take_position(reader);
  summary.length = reader.take<std::uint32_t>();
  const auto state = reader.take<std::uint8_t>();
  if (state > static_cast<std::uint8_t>(MessageState::failed)) return std::nullopt;
  summary.state = static_cast<MessageState>(state);
  summary.doubts = reader.take<std::uint8_t>();
  summary.attempts = reader.take<std::uint16_t>();
  summary.size = reader.take<std::uint64_t>();
  summary.accepted = to_time(reader.take<std::uint64_t>());
  summary.lives_from = to_time(reader.take<std::uint64_t>());
  summary.when = to_time(reader.take<std::uint64_t>());
  summary.next = to_time(reader.take<std::uint64_t>());
  summary.routing_sender = reader.take_string();
  summary.doubted = reader.take_string();
  summary.states = take_states(reader);
  const auto attempted = reader.take<std::uint8_t>();
  if (!reader.sound()) return std::nullopt;
  if (attempted == 0) return summary;
  summary.merged = take_outcome(reader);
  if (!summary.merged) return std::nullopt;
  return summary;
}

std::string encode_again(const Record& record) {
  std::string bytes = begin_record(record.type, record.id, record.flags);
  bytes += record.payload;
  return bytes;
}

// --- the logs ---

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  std::string record = begin_record(RecordType::checkpoint, checkpoint.last_id);
  put(record, checkpoint.last_intake);
  put(record, checkpoint.states_from);
  put(record, static_cast<std::uint32_t>(checkpoint.segments.size()));
  for (const SegmentRow& row : checkpoint.segments) {
    put(record, row.sequence);
    put(record, row.scan_from);
    put(record, row.end);
    put(record, row.count | (row.is_torn ? flag_torn : 0));
    put(record, row.ids);
  }
  pad(record);
  return record;
}

std::optional<Checkpoint> decode_checkpoint(const Record& record) {
  if (record.type != RecordType::checkpoint) return std::nullopt;
  Reader reader(record.payload);
  Checkpoint checkpoint;
  checkpoint.last_id = record.id;
  checkpoint.last_intake = reader.take<std::uint64_t>();
  checkpoint.states_from = reader.take<std::uint64_t>();
  const auto count = reader.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    SegmentRow& row = checkpoint.segments.emplace_back();
    row.sequence = reader.take<std::uint64_t>();
    row.scan_from = reader.take<std::uint32_t>();
    row.end = reader.take<std::uint32_t>();
    const auto flags_and_count = reader.take<std::uint32_t>();
    row.is_torn = flags_and_count & flag_torn;
    row.count = flags_and_count & ~flag_torn;
    row.ids = reader.take<std::uint64_t>();
  }
  if (!reader.sound()) return std::nullopt;
  return checkpoint;
}

std::string encode_retired(const std::vector<RetiredRow>& rows) {
  std::string record = begin_record(RecordType::retired, {});
  put(record, static_cast<std::uint32_t>(rows.size()));
  for (const RetiredRow& row : rows) {
    put(record, row.sequence);
    put(record, row.previous);
    put(record, row.previous_end);
    put(record, row.kind | (row.previous_is_torn ? flag_torn : 0));
  }
  pad(record);
  return record;
}

std::optional<std::vector<RetiredRow>> decode_retired(const Record& record) {
  if (record.type != RecordType::retired) return std::nullopt;
  Reader reader(record.payload);
  const auto count = reader.take<std::uint32_t>();
  std::vector<RetiredRow> rows;
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    RetiredRow& row = rows.emplace_back();
    row.sequence = reader.take<std::uint64_t>();
    row.previous = reader.take<std::uint64_t>();
    row.previous_end = reader.take<std::uint32_t>();
    const auto flags_and_kind = reader.take<std::uint32_t>();
    row.previous_is_torn = flags_and_kind & flag_torn;
    row.kind = flags_and_kind & ~flag_torn;
  }
  if (!reader.sound()) return std::nullopt;
  return rows;
}

std::string encode_closed(std::size_t size) {
  std::string record = begin_record(RecordType::closed, {});
  record.resize(std::max(record.size(), size));
  pad(record);
  return record;
}

}  // namespace relayd::queue
