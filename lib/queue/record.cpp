#include "queue/record.hpp"

#include <algorithm>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/fields.hpp"

namespace relayd::queue {
namespace {

// Offsets in the fixed fields of a message.
constexpr std::size_t size_at = 32, body_checksum_at = 40, accepted_at = 48, envelope_length_at = 56,
                      progress_length_at = 60;

// Of an envelope.
constexpr std::uint8_t flag_eight_bit = 1, flag_smtp_utf8 = 2, flag_require_tls = 4,
                       flag_provider_headers = 8, flag_body_hash = 16, flag_report = 32, flag_expanded = 64,
                       flag_list_sender = 128;

// What each of the parts is that may follow all that the flags name.
constexpr std::uint8_t part_listener = 1;

void put_recipient_facts(std::string& out, const std::vector<Recipient>& recipients) {
  put(out, static_cast<std::uint32_t>(recipients.size()));
  for (const Recipient& recipient : recipients) {
    put_string(out, recipient.address);
    put_string(out, recipient.notify);
    put_string(out, recipient.original_recipient);
  }
}

std::vector<Recipient> take_recipient_facts(Reader& reader) {
  std::vector<Recipient> recipients;
  const auto count = reader.take<std::uint32_t>();
  for (std::uint32_t i = 0; i < count && reader.sound(); ++i) {
    Recipient& recipient = recipients.emplace_back();
    recipient.address = reader.take_string();
    recipient.notify = reader.take_string();
    recipient.original_recipient = reader.take_string();
  }
  return recipients;
}

void put_report(std::string& out, const mail::ReportOf& report) {
  put_string(out, report.message);
  put_recipients(out, report.recipients);
  put(out, report.delay);
  put(out, static_cast<std::uint8_t>(report.expanded));
}

mail::ReportOf take_report(Reader& reader) {
  mail::ReportOf report;
  report.message = reader.take_string();
  report.recipients = take_recipients(reader);
  report.delay = reader.take<std::uint32_t>();
  report.expanded = reader.take<std::uint8_t>() != 0;
  return report;
}

void put_envelope(std::string& out, const Envelope& envelope) {
  out.push_back(static_cast<char>(
      (envelope.eight_bit ? flag_eight_bit : 0) | (envelope.smtp_utf8 ? flag_smtp_utf8 : 0) |
      (envelope.require_tls ? flag_require_tls : 0) |
      (envelope.provider_headers ? flag_provider_headers : 0) |
      (envelope.body_hash.empty() ? 0 : flag_body_hash) | (envelope.report ? flag_report : 0) |
      (envelope.expanded.empty() ? 0 : flag_expanded) | (envelope.list_sender ? flag_list_sender : 0)));
  put_string(out, envelope.sender);
  put_string(out, envelope.routing_sender);
  put_string(out, envelope.ret);
  put_string(out, envelope.envelope_id);
  put_string(out, envelope.client);
  put_string(out, envelope.account);
  put_recipient_facts(out, envelope.recipients);
  if (!envelope.body_hash.empty()) put_string(out, envelope.body_hash);
  if (envelope.report) put_report(out, *envelope.report);
  if (!envelope.expanded.empty()) put_recipient_facts(out, envelope.expanded);
  if (envelope.list_sender) {
    put_string(out, envelope.list_sender->address);
    put_string(out, envelope.list_sender->envelope_id);
  }
  if (!envelope.listener.empty()) {
    put(out, part_listener);
    put_string(out, envelope.listener);
  }
}

Envelope take_envelope(Reader& reader) {
  Envelope envelope;
  const auto flags = reader.take<std::uint8_t>();
  envelope.eight_bit = flags & flag_eight_bit;
  envelope.smtp_utf8 = flags & flag_smtp_utf8;
  envelope.require_tls = flags & flag_require_tls;
  envelope.provider_headers = flags & flag_provider_headers;
  envelope.sender = reader.take_string();
  envelope.routing_sender = reader.take_string();
  envelope.ret = reader.take_string();
  envelope.envelope_id = reader.take_string();
  envelope.client = reader.take_string();
  envelope.account = reader.take_string();
  envelope.recipients = take_recipient_facts(reader);
  if (flags & flag_body_hash) envelope.body_hash = reader.take_string();
  if (flags & flag_report) envelope.report = take_report(reader);
  if (flags & flag_expanded) envelope.expanded = take_recipient_facts(reader);
  if (flags & flag_list_sender) {
    mail::ListSender& list_sender = envelope.list_sender.emplace();
    list_sender.address = reader.take_string();
    list_sender.envelope_id = reader.take_string();
  }
  while (reader.sound() && reader.left() > 0) {
    const auto part = reader.take<std::uint8_t>();
    const std::string_view value = reader.take_string();
    if (part == part_listener) envelope.listener = value;
  }
  return envelope;
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
  if (record.id.value >> MessageId::bits != 0) return std::nullopt;
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

std::string encode_outcome(MessageId id, Position previous, const Outcome& outcome, bool counted, bool final,
                           const Debt& owed) {
  std::string record =
      begin_record(RecordType::outcome, id,
                   static_cast<std::uint8_t>((final ? flag_final : 0) | (counted ? flag_counted : 0) |
                                             (owed.recipients.empty() ? 0 : flag_owed) |
                                             (owed.events.empty() ? 0 : flag_events)));
  put_position(record, previous);
  put_outcome(record, outcome);
  if (!owed.recipients.empty()) {
    put_recipients(record, owed.recipients);
    put(record, owed.since.value);
  }
  if (!owed.events.empty()) put_recipients(record, owed.events);
  pad(record);
  return record;
}

std::optional<StoredOutcome> decode_outcome(const Record& record) {
  if (record.type != RecordType::outcome) return std::nullopt;
  Reader reader(record.payload);
  const Position previous = take_position(reader);
  std::optional<Outcome> outcome = take_outcome(reader);
  if (!outcome) return std::nullopt;
  StoredOutcome stored{previous,
                       std::move(*outcome),
                       (record.flags & flag_counted) != 0,
                       (record.flags & flag_in_doubt) != 0,
                       {}};
  if (record.flags & flag_owed) {
    stored.owed.recipients = take_recipients(reader);
    stored.owed.since.value = reader.take<std::uint64_t>();
  }
  if (record.flags & flag_events) stored.owed.events = take_recipients(reader);
  return reader.sound() ? std::optional(std::move(stored)) : std::nullopt;
}

bool is_final(const Record& record) {
  return record.type == RecordType::removed ||
         ((record.type == RecordType::outcome || record.type == RecordType::told) &&
          (record.flags & flag_final));
}

namespace {

std::string begin_event(RecordType type, MessageId id, Position previous, WallTime when,
                        std::uint8_t flags = 0) {
  std::string record = begin_record(type, id, flags);
  put_position(record, previous);
  put(record, to_number(when));
  return record;
}

bool is_event(RecordType type) {
  return (type >= RecordType::in_doubt && type <= RecordType::renewed) || type == RecordType::told;
}

}  // namespace

std::string encode_event(RecordType type, MessageId id, Position previous, WallTime when,
                         const std::vector<std::uint32_t>& recipients) {
  std::string record = begin_event(type, id, previous, when);
  put_recipients(record, recipients);
  pad(record);
  return record;
}

std::string encode_doubt(MessageId id, Position previous, WallTime when, const Doubt& doubt) {
  std::string record = begin_event(RecordType::in_doubt, id, previous, when);
  put_string(record, doubt.upstream);
  put(record, to_number(doubt.next_attempt));
  put_recipients(record, doubt.recipients);
  pad(record);
  return record;
}

// A version that does not know it knows of no debts either.
std::string encode_told(MessageId id, Position previous, WallTime when, const Told& told, bool final) {
  const std::uint8_t flags = flag_may_be_ignored | (final ? flag_final : 0);
  std::string record = begin_event(RecordType::told, id, previous, when, flags);
  put_recipients(record, told.what.recipients);
  put(record, static_cast<std::uint8_t>(told.what.expanded));
  put(record, told.warned);
  put_string(record, told.report);
  if (!told.what.events.empty()) put_recipients(record, told.what.events);
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
  if (record.type == RecordType::told) {
    event.told.what.recipients = take_recipients(reader);
    event.told.what.expanded = reader.take<std::uint8_t>() != 0;
    event.told.warned = reader.take<std::uint32_t>();
    event.told.report = reader.take_string();
    if (reader.sound()) event.told.what.events = take_recipients(reader);
    return reader.sound() ? std::optional(std::move(event)) : std::nullopt;
  }
  if (record.type != RecordType::in_doubt) {
    event.recipients = take_recipients(reader);
    return reader.sound() ? std::optional(std::move(event)) : std::nullopt;
  }
  event.doubt.upstream = reader.take_string();
  if (!reader.sound()) return std::nullopt;
  if (reader.left() < sizeof(std::uint64_t) + sizeof(std::uint32_t)) return event;  // format 1 ends here
  event.doubt.next_attempt = to_time(reader.take<std::uint64_t>());
  event.doubt.recipients = take_recipients(reader);
  if (!reader.sound()) return std::nullopt;
  return event;
}

std::string encode_again(const Record& record) {
  std::string bytes = begin_record(record.type, record.id, record.flags);
  bytes += record.payload;
  return bytes;
}

}  // namespace relayd::queue
