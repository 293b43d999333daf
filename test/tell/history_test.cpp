// Lines of the history: what is written is read as it was meant, whatever strangers said.
#include "tell/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shared/telemetry/text.hpp"

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using smtp::Event;
using smtp::Stage;
using smtp::Trouble;

constexpr WallTime noon{std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h + 250ms};
constexpr HistoryStyle plain{noon};

struct Said {
  Event event{Stage::final_dot, smtp::Reply{250, {2, 0, 0}, "Ok"}};
  Outcome outcome() const {
    return {.fate = Fate::delivered,
            .id = "1j0m0u4e32g",
            .from = "ann@example.com",
            .to = "bob@customer.example",
            .sent_from = "ann@example.com",
            .sent_to = "bob@customer.example",
            .rule = "@example.com",
            .upstream = "office",
            .host = "office.example.net:587",
            .account = "relay",
            .tls = "TLSv1.3",
            .event = event,
            .reply_class = "none",
            .provider_id = "Q42",
            .attempt = 2,
            .age = 1500ms};
  }
};

// All lines, as they are read.
template <class News>
std::vector<json> read(const News& news, const HistoryStyle& style = plain) {
  std::string text;
  append_history(text, news, style);
  std::vector<json> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    EXPECT_NE(end, std::string::npos);
    EXPECT_LE(end + 1, longest_history_line);
    const std::optional<json> line = parse_history(std::string_view(text).substr(0, end));
    EXPECT_TRUE(line) << text.substr(0, end);
    lines.push_back(line.value_or(json()));
    text.erase(0, end + 1);
  }
  return lines;
}

json read_reply(std::string text) {
  Said said;
  said.event.reply.text = std::move(text);
  return read(said.outcome()).at(0);
}

TEST(History, WhatTheOperatorDidNamesHim) {
  EXPECT_EQ(read(Handled{Handled::Kind::deleted, "1j0m0u4e32g", "ann@example.com"}).at(0), json::parse(R"({
    "id": "1j0m0u4e32g", "time": "2026-11-20T12:00:00.250000Z", "event": "deleted",
    "from": "ann@example.com", "by": "operator"})"));
  const json waits = read(Handled{Handled::Kind::routeless, "1", "", "no rule"}).at(0);
  EXPECT_EQ(waits["event"], "deferred");
  EXPECT_EQ(waits["response"], "no rule");
  EXPECT_EQ(waits["class"], "none");
  EXPECT_FALSE(waits.contains("by"));
}

TEST(History, AnAttemptIsReadAsItWas) {
  Said said;
  Outcome outcome = said.outcome();
  outcome.sent_from = "noreply@example.com";
  EXPECT_EQ(read(outcome).at(0), json::parse(R"({
    "id": "1j0m0u4e32g", "time": "2026-11-20T12:00:00.250000Z", "event": "delivered",
    "from": "ann@example.com", "to": "bob@customer.example", "sent_from": "noreply@example.com",
    "rule": "@example.com", "upstream": "office", "host": "office.example.net:587", "account": "relay",
    "tls": "TLSv1.3", "stage": "final_dot", "code": 250, "response": "2.0.0 Ok", "provider_id": "Q42",
    "class": "none", "attempt": 2, "delay": 1.5})"));
}

TEST(History, ATroubleIsToldInItsWords) {
  Said said;
  said.event = Event(Stage::connect, Trouble::unreachable, "no route to host");
  const json line = read(said.outcome()).at(0);
  EXPECT_EQ(line["response"], "no route to host");
  EXPECT_FALSE(line.contains("code"));
}

TEST(History, ALineStaysALineWhateverAReplyHolds) {
  EXPECT_EQ(read_reply("one\ntwo\nthree")["response"], "2.0.0 one two three");
  for (const std::string& text : {std::string("quote \" backslash \\ {\"id\":\"x\"}"), std::string("a\0b", 3),
                                  std::string("\r\x1b[2J\x7f\t"), std::string("Grüße, 你好 \U0001f600")})
    EXPECT_EQ(read_reply(text)["response"], "2.0.0 " + text);
  EXPECT_EQ(read_reply("\xff\xc3(")["response"], "2.0.0 \u00ff\u00c3(");  // octets that are no UTF-8
}

TEST(History, ALongReplyIsCutBetweenCharacters) {
  EXPECT_EQ(read_reply(std::string(64 << 10, 'x'))["response"], "2.0.0 " + std::string(512, 'x'));
  std::string umlauts = "x";
  for (int i = 0; i < 30'000; ++i) umlauts += "ü";
  EXPECT_EQ(read_reply(umlauts)["response"], "2.0.0 " + umlauts.substr(0, 511));
  EXPECT_EQ(read_reply(std::string(64 << 10, '\n'))["response"], "2.0.0 " + std::string(512, ' '));
}

TEST(History, AnArrivalIsReadAsItWas) {
  mail::Envelope envelope;
  envelope.recipients = {{"bob@customer.example", {}, {}}, {"\"q\\\"uo te\"@x.example", {}, {}}};
  envelope.client = "127.0.0.1";
  envelope.account = "app";
  const Arrival arrival{.kind = Arrival::Kind::held,
                        .id = "1j0m0u4e32g",
                        .envelope = envelope,
                        .to = envelope.recipients,
                        .size = 1234,
                        .tls = "TLSv1.3",
                        .message_id = "<a@b>"};
  const json line = read(arrival).at(0);
  EXPECT_EQ(line["event"], "held");
  EXPECT_EQ(line["from"], "");  // the null sender
  EXPECT_EQ(line["to"], json::array({"bob@customer.example", "\"q\\\"uo te\"@x.example"}));
  EXPECT_EQ(line["message_id"], "<a@b>");
  EXPECT_EQ(line["size"], 1234);
  EXPECT_FALSE(line.contains("instead_of"));
}

// No line gets too long, and no recipient is left out.
TEST(History, ManyRecipientsTakeSeveralLines) {
  mail::Envelope envelope;
  std::vector<std::string> names;
  for (int i = 0; i < 5'000; ++i) {
    names.push_back(std::to_string(i) + std::string(200, '"') + "@customer.example");
    envelope.recipients.push_back({names.back(), {}, {}});
  }
  const std::vector<mail::Recipient> replaced(envelope.recipients.begin(), envelope.recipients.begin() + 100);
  std::vector<std::string> told, instead;
  const auto add = [](const json& line, const char* key, std::vector<std::string>& all) {
    for (const json& one : line.value(key, json::array())) all.push_back(one);
  };
  for (const json& line : read(Arrival{.id = "1",
                          .envelope = envelope,
                          .to = envelope.recipients,
                          .tls = {},
                          .message_id = {},
                          .instead_of = replaced})) {
    add(line, "to", told);
    add(line, "instead_of", instead);
  }
  EXPECT_EQ(told, names);
  EXPECT_EQ(instead.size(), 100U);
  told.clear();
  EXPECT_EQ(read(GivenUp{Ending::deleted, "1", {}, "a@b", envelope.recipients, {}, "by the operator", 0})
                .at(0)["event"],
            "deleted");
  for (const json& line :
       read(GivenUp{Ending::expired, "1", {}, "a@b", envelope.recipients, {}, "too old", 3})) {
    EXPECT_EQ(line["event"], "expired");
    EXPECT_EQ(line["attempts"], 3);
    add(line, "to", told);
  }
  EXPECT_EQ(told, names);
}

TEST(History, AReportIsTold) {
  const std::vector<mail::Recipient> about = {{"bob@customer.example", {}, {}}};
  Reported report{
      .id = "1", .from = "ann@example.com", .about = about, .report = "2", .to = "ann@example.com"};
  EXPECT_EQ(read(report).at(0)["event"], "bounced");
  EXPECT_EQ(read(report).at(0)["report"], "2");
  report.kind = Reported::Kind::delayed;
  EXPECT_EQ(read(report).at(0)["event"], "delay_warned");
}

TEST(History, MaskedAddressesLeaveAHashOfTheFullOne) {
  Said said;
  said.event.reply.text = "<bob@customer.example> and carl@other.example are unknown";
  Outcome outcome = said.outcome();
  outcome.sent_to = "dora@else.example";
  outcome.rule = "ann@example.com";
  const std::string key(32, 'k');
  std::string text;
  append_history(text, outcome, {noon, true, key});
  for (const char* name : {"ann@", "bob@", "carl@", "dora@"})
    EXPECT_EQ(text.find(name), std::string::npos) << name << " in " << text;
  const json line = read(outcome, {noon, true, key}).at(0);
  EXPECT_EQ(line["to"], "b***@customer.example");
  EXPECT_EQ(line["keys"],
            json::array({history_hash("ann@example.com", key), history_hash("dora@else.example", key)}));
  EXPECT_EQ(line["to_keys"], json::array({history_hash("BOB@customer.example", key)}));
  EXPECT_NE(history_hash("ann@example.com", key), history_hash("ann@example.com", std::string(32, 'l')));
  EXPECT_FALSE(read(outcome, {noon, true, ""}).at(0).contains("keys"));
}

TEST(History, ALineThatIsCutShortIsNone) {
  std::string text;
  append_history(text, Said().outcome(), plain);
  text.pop_back();
  ASSERT_TRUE(parse_history(text));
  EXPECT_EQ(history_head(text)->id, "1j0m0u4e32g");
  EXPECT_EQ(history_head(text)->time, "2026-11-20T12:00:00.250000Z");
  for (std::size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(parse_history(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_history(text.substr(0, 100) + text));
  EXPECT_FALSE(parse_history(R"({"id":"1","time":"2","event":{"a":1}})"));
  EXPECT_FALSE(parse_history(R"({"id":"1","time":"2","event":"x","to":[1]})"));
  EXPECT_FALSE(parse_history(R"({"id":"1","time":"2"})"));
}

}  // namespace
}  // namespace relayd::tell
