#include "queue/fields.hpp"

#include <algorithm>

namespace relayd::queue {

namespace {
constexpr std::size_t max_reply_text = 512;                   // of a RecipientOutcome
constexpr std::uint64_t latest_time = 7'258'118'400'000'000;  // the year 2200
}  // namespace

std::uint64_t to_number(WallTime time) {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

WallTime to_time(std::uint64_t number) {
  return WallTime(std::chrono::microseconds(std::min(number, latest_time)));
}

std::string begin_record(RecordType type, MessageId id, std::uint8_t flags) {
  std::string record(record_header, '\0');
  store(&record[id_at], id.value);
  record[type_at] = static_cast<char>(type);
  record[flags_at] = static_cast<char>(flags);
  return record;
}

void pad(std::string& record) {
  record.resize((record.size() + record_alignment - 1) / record_alignment * record_alignment);
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

void put_recipients(std::string& out, const std::vector<std::uint32_t>& recipients) {
  put(out, static_cast<std::uint32_t>(recipients.size()));
  for (const std::uint32_t recipient : recipients) put(out, recipient);
}

std::uint32_t take_count(Reader& reader) {
  return reader.left() < sizeof(std::uint32_t) ? 0 : reader.take<std::uint32_t>();
}

std::vector<std::uint32_t> take_recipients(Reader& reader) {
  std::vector<std::uint32_t> recipients;
  const std::uint32_t count = take_count(reader);
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i)
    recipients.push_back(reader.take<std::uint32_t>());
  return recipients;
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

}  // namespace relayd::queue
