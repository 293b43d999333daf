#include "queue/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "queue/codec.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {
namespace {

constexpr std::uint64_t generation = 0x0123456789abcdef;
constexpr MessageId id{0x0007'1234'5678'9abc};
const WallTime when{std::chrono::seconds(1'790'000'000)};

Envelope envelope() {
  Envelope envelope;
  envelope.sender = "a@example.org";
  envelope.routing_sender = "b@example.org";
  envelope.recipients = {{"c@example.org", "SUCCESS,FAILURE", "rfc822;c+2B@example.org"},
                         {"d@example.org", "", ""}};
  envelope.eight_bit = true;
  envelope.ret = "HDRS";
  envelope.envelope_id = "id+3D1";
  envelope.client = "192.0.2.1";
  envelope.account = "webapp";
  envelope.listener = "apps";
  envelope.provider_headers = true;
  envelope.body_hash = std::string(32, '\x07');
  envelope.expanded = {{"list@example.org", "SUCCESS", ""}};
  envelope.list_sender = {"e@example.org", "id+3D2"};
  return envelope;
}

Outcome outcome() {
  Outcome outcome;
  outcome.when = when;
  outcome.upstream = "office";
  outcome.username = "relay";
  outcome.host = "mx.example.net:587";
  outcome.recipients = {{1, RecipientState::failed, 550, "5.1.1 no such user"}};
  outcome.next_attempt = when + std::chrono::minutes(3);
  return outcome;
}

std::string message_record(std::string_view body) {
  std::string record = begin_message();
  record += body;
  MessageFacts facts;
  facts.size = body.size();
  facts.accepted = when;
  finish_message(record, id, facts, envelope());
  return record;
}

std::string sealed(std::string record) {
  seal(record, generation, segment_start);
  return record;
}

TEST(Record, AMessageComesBackAsItWasPutIn) {
  const std::string bytes = sealed(message_record("Subject: x\r\n\r\nbody\r\n"));
  EXPECT_EQ(bytes.size() % record_alignment, 0U);
  const std::string journal = bytes + "what follows";
  const auto record = parse_record(journal, generation);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->type, RecordType::message);
  EXPECT_EQ(record->id, id);
  EXPECT_EQ(record->batch, segment_start);
  EXPECT_EQ(record->length, bytes.size());
  const auto message = decode_message(*record);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->body, "Subject: x\r\n\r\nbody\r\n");
  EXPECT_EQ(message->accepted, when);
  EXPECT_FALSE(message->by_reference);
  EXPECT_FALSE(message->progress);
  EXPECT_EQ(message->envelope.sender, "a@example.org");
  EXPECT_EQ(message->envelope.routing_sender, "b@example.org");
  ASSERT_EQ(message->envelope.recipients.size(), 2U);
  EXPECT_EQ(message->envelope.recipients[0].address, "c@example.org");
  EXPECT_EQ(message->envelope.recipients[0].notify, "SUCCESS,FAILURE");
  EXPECT_EQ(message->envelope.recipients[0].original_recipient, "rfc822;c+2B@example.org");
  EXPECT_TRUE(message->envelope.eight_bit);
  EXPECT_FALSE(message->envelope.smtp_utf8);
  EXPECT_TRUE(message->envelope.provider_headers);
  EXPECT_EQ(message->envelope.body_hash, std::string(32, '\x07'));
  EXPECT_EQ(message->envelope.ret, "HDRS");
  EXPECT_EQ(message->envelope.envelope_id, "id+3D1");
  EXPECT_EQ(message->envelope.client, "192.0.2.1");
  EXPECT_EQ(message->envelope.account, "webapp");
  EXPECT_EQ(message->envelope.listener, "apps");
  EXPECT_EQ(message->envelope.expanded.at(0).address, "list@example.org");
  ASSERT_TRUE(message->envelope.list_sender);
  EXPECT_EQ(message->envelope.list_sender->address, "e@example.org");
  EXPECT_EQ(message->envelope.list_sender->envelope_id, "id+3D2");
}

// A message of no listener whose envelope ends with `parts`; nothing: it is refused.
std::optional<Envelope> envelope_with(const std::string& parts) {
  constexpr std::size_t envelope_length_at = 56;
  Envelope plain = envelope();
  plain.listener.clear();
  std::string record = begin_message();
  finish_message(record, id, {}, plain);
  const auto length = load<std::uint32_t>(&record[envelope_length_at]);
  record.resize(message_head + length);
  record += parts;
  store(&record[envelope_length_at], static_cast<std::uint32_t>(length + parts.size()));
  record.resize((record.size() + record_alignment - 1) / record_alignment * record_alignment);
  const std::string bytes = sealed(record);
  const auto message = decode_message(parse_record(bytes, generation).value());
  return message ? std::optional(message->envelope) : std::nullopt;
}

std::string part(char what, const std::string& value) {
  std::string bytes(1, what);
  put_string(bytes, value);
  return bytes;
}

TEST(Record, AnEnvelopeMayEndWithPartsThatSayWhatTheyAre) {
  EXPECT_EQ(envelope_with("").value().listener, "");
  EXPECT_EQ(envelope_with("").value().list_sender->envelope_id, "id+3D2");
  EXPECT_EQ(envelope_with(part(1, "apps")).value().listener, "apps");
}

TEST(Record, PartsOfAnEnvelopeThatAreNotKnownArePassedOver) {
  EXPECT_EQ(envelope_with(part('\xff', "later") + part(1, "apps") + part(2, "")).value().listener, "apps");
}

TEST(Record, AnEnvelopeWhosePartsAreCutShortIsRefused) {
  const std::string whole = part(1, "apps");
  for (std::size_t length = 1; length < whole.size(); ++length)
    EXPECT_FALSE(envelope_with(whole.substr(0, length))) << length;
}

TEST(Record, AnOutcomeComesBackAsItWasPutIn) {
  const Position previous{7, 8192};
  const std::string bytes = sealed(encode_outcome(id, previous, outcome(), true, false));
  const auto record = parse_record(bytes, generation);
  ASSERT_TRUE(record);
  EXPECT_FALSE(is_final(*record));
  const auto stored = decode_outcome(*record);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->previous, previous);
  EXPECT_TRUE(stored->counted);
  EXPECT_EQ(stored->outcome.when, when);
  EXPECT_EQ(stored->outcome.next_attempt, when + std::chrono::minutes(3));
  EXPECT_EQ(stored->outcome.upstream, "office");
  EXPECT_EQ(stored->outcome.username, "relay");
  EXPECT_EQ(stored->outcome.host, "mx.example.net:587");
  ASSERT_EQ(stored->outcome.recipients.size(), 1U);
  EXPECT_EQ(stored->outcome.recipients[0].recipient, 1U);
  EXPECT_EQ(stored->outcome.recipients[0].state, RecipientState::failed);
  EXPECT_EQ(stored->outcome.recipients[0].code, 550);
  EXPECT_EQ(stored->outcome.recipients[0].text, "5.1.1 no such user");
}

TEST(Record, AReplyTextIsCutAt512Octets) {
  Outcome long_one = outcome();
  long_one.recipients[0].text = std::string(10'000, 'x');
  const std::string bytes = sealed(encode_outcome(id, {}, long_one, false, true));
  const auto record = parse_record(bytes, generation);
  ASSERT_TRUE(record);
  EXPECT_TRUE(is_final(*record));
  const auto stored = decode_outcome(*record);
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->outcome.recipients[0].text, std::string(512, 'x'));
}

TEST(Record, AnEventComesBackAsItWasPutIn) {
  const std::string bytes = sealed(encode_event(RecordType::hold, id, {3, 4096}, when));
  const auto record = parse_record(bytes, generation);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->type, RecordType::hold);
  const auto event = decode_event(*record);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->when, when);
  EXPECT_EQ(event->previous, (Position{3, 4096}));
  EXPECT_FALSE(decode_message(*record));
  EXPECT_FALSE(decode_outcome(*record));
}

TEST(Record, ADoubtComesBackAsItWasPutIn) {
  const std::string bytes =
      sealed(encode_doubt(id, {3, 4096}, when, {"office", {1, 700}, when + std::chrono::hours(1)}));
  const auto event = decode_event(*parse_record(bytes, generation));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->doubt.upstream, "office");
  EXPECT_EQ(event->doubt.recipients, (std::vector<std::uint32_t>{1, 700}));
  EXPECT_EQ(event->doubt.next_attempt, when + std::chrono::hours(1));
}

Summary summary() {
  Summary summary;
  summary.where = {9, 70'000};
  summary.length = 4096;
  summary.state = MessageState::failed;
  summary.by_reference = true;
  summary.doubts = 2;
  summary.attempts = 300;
  summary.size = 1 << 30;
  summary.accepted = when;
  summary.lives_from = when + std::chrono::hours(1);
  summary.when = when + std::chrono::hours(2);
  summary.next = when + std::chrono::hours(3);
  summary.routing_sender = "a@example.org";
  summary.doubted = "office";
  for (int i = 0; i < 9; ++i) summary.states.push_back(static_cast<RecipientState>(i % 4));
  summary.merged = outcome();
  return summary;
}

TEST(Record, ASummaryComesBackAsItWasPutIn) {
  const std::string bytes = sealed(encode_summary(id, summary()));
  const auto back = decode_summary(*parse_record(bytes, generation));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->where, (Position{9, 70'000}));
  EXPECT_EQ(back->length, 4096U);
  EXPECT_EQ(back->state, MessageState::failed);
  EXPECT_TRUE(back->by_reference);
  EXPECT_EQ(back->doubts, 2);
  EXPECT_EQ(back->attempts, 300);
  EXPECT_EQ(back->size, std::uint64_t{1} << 30);
  EXPECT_EQ(back->accepted, when);
  EXPECT_EQ(back->lives_from, summary().lives_from);
  EXPECT_EQ(back->when, summary().when);
  EXPECT_EQ(back->next, summary().next);
  EXPECT_EQ(back->routing_sender, "a@example.org");
  EXPECT_EQ(back->doubted, "office");
  EXPECT_EQ(back->states, summary().states);
  ASSERT_TRUE(back->merged);
  EXPECT_EQ(back->merged->recipients[0].text, "5.1.1 no such user");
}

// What revision 3 wrote ends where the events of revision 4 begin.
TEST(Record, WhatWebhooksAreOwedStandsBehindAllThatRevision3Knows) {
  const Debt none, report{.recipients = {1}}, events{.events = {0, 700}},
      both{.recipients = {1}, .events = {0, 700}};
  const auto decoded = [](const std::string& bytes) { return *parse_record(bytes, generation); };
  for (const Debt& debt : {none, report, events, both}) {
    const std::string outcomes = sealed(encode_outcome(id, {}, outcome(), false, false, debt));
    EXPECT_EQ(decode_outcome(decoded(outcomes))->owed, debt);
    const std::string told = sealed(encode_told(id, {}, when, {debt, 7, "1j0m0u4e32g"}, false));
    EXPECT_EQ(decode_event(decoded(told))->told.what, debt);
    EXPECT_EQ(decode_event(decoded(told))->told.report, "1j0m0u4e32g");
    Summary known = summary();
    known.debt = debt;
    known.warned = 7;
    const std::string summaries = sealed(encode_summary(id, known));
    EXPECT_EQ(decode_summary(decoded(summaries))->debt, debt);
    EXPECT_EQ(decode_summary(decoded(summaries))->warned, 7U);
  }
  const auto begins = [](std::string longer, std::string shorter) {
    longer.resize(shorter.size() - record_alignment);  // the last octets may be padding
    shorter.resize(longer.size());
    return longer.substr(record_header) == shorter.substr(record_header);
  };
  EXPECT_TRUE(begins(encode_outcome(id, {}, outcome(), false, false, both),
                     encode_outcome(id, {}, outcome(), false, false, report)));
  EXPECT_TRUE(begins(encode_told(id, {}, when, {both, 0, "x"}, false),
                     encode_told(id, {}, when, {report, 0, "x"}, false)));
  Summary known = summary();
  known.debt = report;
  const std::string shorter = encode_summary(id, known);
  known.debt = both;
  EXPECT_TRUE(begins(encode_summary(id, known), shorter));
}

TEST(Record, ACheckpointComesBackAsItWasPutIn) {
  const std::string bytes =
      sealed(encode_checkpoint({id, 12, 4, {{7, 8192, 9000, 3, 99}, {9, 10'000, 10'000, 0, 0}}, 13}));
  const auto back = decode_checkpoint(*parse_record(bytes, generation));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->last_id, id);
  EXPECT_EQ(back->last_intake, 12U);
  EXPECT_EQ(back->states_from, 4U);
  ASSERT_EQ(back->segments.size(), 2U);
  EXPECT_EQ(back->segments[0].sequence, 7U);
  EXPECT_EQ(back->segments[0].scan_from, 8192U);
  EXPECT_EQ(back->segments[0].end, 9000U);
  EXPECT_EQ(back->segments[0].count, 3U);
  EXPECT_EQ(back->segments[0].ids, 99U);
  EXPECT_EQ(back->last_segment, 13U);
  const auto retired =
      decode_retired(*parse_record(sealed(encode_retired({{4, 3, 9000, 1}, {5, 4, 0, 2}})), generation));
  ASSERT_TRUE(retired);
  ASSERT_EQ(retired->size(), 2U);
  EXPECT_EQ(retired->front().sequence, 4U);
  EXPECT_EQ(retired->front().previous, 3U);
  EXPECT_EQ(retired->front().previous_end, 9000U);
  EXPECT_EQ(retired->front().kind, 1U);
  EXPECT_EQ(retired->back().sequence, 5U);
}

// What a sound checksum does not protect from, again: no count may lead beyond the record.
TEST(Record, SummariesAndCheckpointsWithLengthsThatDoNotFitAreRefused) {
  for (const std::string& whole :
       {encode_summary(id, summary()), encode_checkpoint({id, 12, 0, {{7, 1, 2, 3, 4}}}),
        encode_retired({{4, 3, 9000, 1}}), encode_doubt(id, {}, when, {"office", {1}, when})}) {
    for (std::size_t at = record_header; at < whole.size(); ++at) {
      std::string record = whole;
      record[at] = '\x7f';
      seal(record, generation, segment_start);
      const auto parsed = parse_record(record, generation);
      ASSERT_TRUE(parsed);
      decode_summary(*parsed);  // the sanitizer watches
      decode_checkpoint(*parsed);
      decode_retired(*parsed);
      decode_event(*parsed);
    }
  }
}

TEST(Record, EveryFlippedBitIsRefused) {
  for (const std::string& whole :
       {sealed(message_record("body\r\n")), sealed(encode_outcome(id, {1, 2}, outcome(), false, true))}) {
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      EXPECT_FALSE(parse_record(damaged + damaged, generation)) << "bit " << bit;
    }
  }
}

TEST(Record, EveryTruncationIsRefused) {
  const std::string whole = sealed(message_record("body\r\n"));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(parse_record(std::string(whole, 0, size), generation)) << size;
}

TEST(Record, ARecordOfAnEarlierLifeOfTheFileIsRefused) {
  const std::string whole = sealed(message_record("body\r\n"));
  EXPECT_FALSE(parse_record(whole, generation + 1));
  EXPECT_FALSE(parse_record(whole, generation + (std::uint64_t{1} << 32)));
}

// What a sound checksum does not protect from: fields that contradict each other.
TEST(Record, LengthsThatDoNotFitAreRefused) {
  for (std::size_t at = record_header; at < message_head; ++at) {
    std::string record = message_record("body\r\n");
    record[at] = '\x7f';
    seal(record, generation, segment_start);
    const auto parsed = parse_record(record, generation);
    ASSERT_TRUE(parsed);
    decode_message(*parsed);  // must not read beyond the record; the sanitizer watches
  }
}

TEST(MessageId, TextHasElevenCharactersAndSortsByAge) {
  const MessageId older{1'790'000'000'000'000};
  const MessageId younger{1'790'000'000'000'001};
  EXPECT_EQ(to_string(older).size(), 11U);
  EXPECT_LT(to_string(older), to_string(younger));
  const auto back = parse_message_id(to_string(older));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, older);
  for (const char* bad : {"", "0000000000", "000000000000", "0000000000w", "0000000000V"})
    EXPECT_FALSE(parse_message_id(bad).ok()) << bad;
}

TEST(Record, ATimeThatCannotHaveBeenOverflowsNoClock) {
  for (const WallTime odd : {WallTime::min(), WallTime(-std::chrono::days(1)), WallTime::max()}) {
    const std::string bytes = sealed(encode_event(RecordType::hold, id, {}, odd));
    const std::optional<StoredEvent> event = decode_event(*parse_record(bytes, generation));
    ASSERT_TRUE(event);
    EXPECT_EQ(event->when, std::chrono::sys_days(std::chrono::year(2200) / 1 / 1));
  }
}

}  // namespace
}  // namespace relayd::queue
