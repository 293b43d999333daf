// Records from which a start knows what it need not read: the summary of a message, and what is about the
// logs themselves.
#include <algorithm>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/fields.hpp"
#include "queue/record.hpp"

namespace relayd::queue {

namespace {

constexpr std::uint32_t flag_torn = 1U << 31;  // in the rows about segments

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

void put_others(std::string& out, const std::vector<SummaryOther>& others) {
  put(out, static_cast<std::uint32_t>(others.size()));
  for (const SummaryOther& other : others) {
    put(out, static_cast<std::uint8_t>(other.state));
    put(out, other.doubts);
    put(out, other.attempts);
    put(out, to_number(other.next));
    put_string(out, other.doubted);
    put_recipients(out, other.recipients);
  }
}

// False: not whole, or it names a state that does not exist. Where nothing but padding follows there are
// none.
bool take_others(Reader& reader, std::vector<SummaryOther>& others) {
  const std::uint32_t count = take_count(reader);
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    SummaryOther& other = others.emplace_back();
    const auto state = reader.take<std::uint8_t>();
    if (state > static_cast<std::uint8_t>(MessageState::failed)) return false;
    other.state = static_cast<MessageState>(state);
    other.doubts = reader.take<std::uint8_t>();
    other.attempts = reader.take<std::uint16_t>();
    other.next = to_time(reader.take<std::uint64_t>());
    other.doubted = reader.take_string();
    other.recipients = take_recipients(reader);
  }
  return reader.sound();
}

constexpr std::size_t telling_size = 17;  // at least: more than the padding has

void put_telling(std::string& out, const Summary& summary) {
  put_recipients(out, summary.debt.recipients);
  put(out, static_cast<std::uint8_t>(summary.debt.expanded));
  put(out, summary.debt.since.value);
  put(out, summary.warned);
  if (!summary.debt.events.empty()) put_recipients(out, summary.debt.events);
}

// Where nothing but padding follows, nobody is to be told anything.
void take_telling(Reader& reader, Summary& summary) {
  if (reader.left() < telling_size) return;
  summary.debt.recipients = take_recipients(reader);
  summary.debt.expanded = reader.take<std::uint8_t>() != 0;
  summary.debt.since.value = reader.take<std::uint64_t>();
  summary.warned = reader.take<std::uint32_t>();
  if (reader.sound()) summary.debt.events = take_recipients(reader);
}

}  // namespace

namespace {

// What only waits to be reported is for an older version a failed message, which it removes in time. That
// nobody has failed tells the two apart.
MessageState stored_state(MessageState state) {
  return state == MessageState::reporting ? MessageState::failed : state;
}

}  // namespace

std::string encode_summary(MessageId id, const Summary& summary) {
  std::string record =
      begin_record(RecordType::summary, id, summary.by_reference ? flag_by_reference : std::uint8_t{0});
  put_position(record, summary.where);
  put(record, summary.length);
  put(record, static_cast<std::uint8_t>(stored_state(summary.state)));
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
  const bool tells = !summary.debt.empty() || summary.warned != 0 || summary.debt.since != MessageId();
  if (!summary.others.empty() || tells) put_others(record, summary.others);
  if (tells) put_telling(record, summary);
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
  if (attempted != 0) {
    summary.merged = take_outcome(reader);
    if (!summary.merged) return std::nullopt;
  }
  if (!take_others(reader, summary.others)) return std::nullopt;
  take_telling(reader, summary);
  return reader.sound() ? std::optional(std::move(summary)) : std::nullopt;
}

// --- the logs ---

std::uint64_t id_checksum(MessageId id) {
  char bytes[sizeof id.value];
  store(bytes, id.value);
  return checksum({bytes, sizeof bytes});
}

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
  put(record, checkpoint.last_segment);
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
  if (reader.left() >= sizeof checkpoint.last_segment) checkpoint.last_segment = reader.take<std::uint64_t>();
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
