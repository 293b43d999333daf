// Webhooks: events that any receiver can read, whatever strangers said, and signatures that it can verify.
#include "tell/webhook.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <vector>

#include "shared/base/base64.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using config::WebhookEvent;
using nlohmann::json;

constexpr WallTime noon{std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h + 250ms};

WebhookNews delivery() {
  return {.what = WebhookEvent::delivered,
          .id = "1j0m0u4e32g",
          .recipient = 3,
          .when = noon,
          .from = "ann@example.com",
          .to = "bob@customer.example",
          .upstream = "office",
          .host = "office.example.net:587",
          .code = 250,
          .text = "2.0.0 Ok",
          .provider_id = "Q42"};
}

std::string line_of(const WebhookNews& news, bool masked = false) {
  std::string out;
  append_webhook_event(out, news, masked);
  return out;
}

json read(const WebhookNews& news, bool masked = false) {
  const std::string line = line_of(news, masked);
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_LE(line.size(), longest_webhook_event);
  json object = json::parse(line, nullptr, false);
  EXPECT_TRUE(object.is_object()) << line;
  return object;
}

json read_reply(std::string_view text, bool masked = false) {
  WebhookNews news = delivery();
  news.text = text;
  return read(news, masked)["data"]["reply"];
}

TEST(WebhookEvent, SaysWhatBecameOfARecipient) {
  EXPECT_EQ(read(delivery()), json::parse(R"({
    "id": "evt_1j0m0u4e32g_3_delivered_1795176000250000", "type": "message.delivered",
    "timestamp": "2026-11-20T12:00:00.250000Z",
    "data": {"message": "1j0m0u4e32g", "from": "ann@example.com", "to": "bob@customer.example",
             "upstream": "office", "host": "office.example.net:587", "code": 250, "reply": "2.0.0 Ok",
             "provider_id": "Q42"}})"));
}

TEST(WebhookEvent, SaysWhatBecameOfAnAccount) {
  WebhookNews news{.what = WebhookEvent::account_failing,
                   .when = noon,
                   .upstream = "office",
                   .account = "bob",
                   .text = "535 no. Correct `password`"};
  const json failing = read(news);
  EXPECT_EQ(failing["type"], "account.failing");
  EXPECT_EQ(failing["data"], json::parse(R"({"upstream": "office", "account": "bob",
                                            "reason": "535 no. Correct `password`"})"));
  news.account = "ann";
  EXPECT_NE(read(news)["id"], failing["id"]);
  news.what = WebhookEvent::account_ok;
  EXPECT_EQ(read(news)["type"], "account.ok");
}

TEST(WebhookEvent, LeavesOutWhatIsEmpty) {
  const WebhookNews refused{.what = WebhookEvent::suppressed, .when = noon, .to = "bob@customer.example"};
  const json event = read(refused);
  EXPECT_EQ(event["type"], "message.suppressed");
  EXPECT_EQ(event["data"], json::parse(R"({"to": "bob@customer.example"})"));
  EXPECT_EQ(read({.what = WebhookEvent::failed, .to = "", .code = 550})["data"],
            json::parse(R"({"code": 550})"));
}

TEST(WebhookEvent, TheSameNewsHasTheSameIdAndNoOtherHasIt) {
  std::set<std::string> ids;
  const auto id_of = [&ids](const WebhookNews& news) {
    const json event = read(news);
    EXPECT_EQ(read(news), event);
    ids.insert(event["id"].get<std::string>());
  };
  WebhookNews news = delivery();
  id_of(news);
  news.when += 1us;
  id_of(news);
  news.recipient = 4;
  id_of(news);
  news.what = WebhookEvent::deferred;
  id_of(news);
  news.id = "1j0m0u4e32h";
  id_of(news);
  WebhookNews refused{
      .what = WebhookEvent::suppressed, .when = noon, .from = "ann@example.com", .to = "bob@a.example"};
  id_of(refused);
  refused.to = "carol@a.example";
  id_of(refused);
  refused.from = "";
  id_of(refused);
  refused.when += 1us;
  id_of(refused);
  EXPECT_EQ(ids.size(), 9);
  for (const std::string& id : ids) EXPECT_EQ(id.find('.'), std::string::npos) << id;
}

TEST(WebhookEvent, AddressesAreMaskedAsInTheLogAndNothingTellsThem) {
  WebhookNews news = delivery();
  news.text = "no such user <bob@customer.example> here";
  const json data = read(news, true)["data"];
  EXPECT_EQ(data["from"], "a***@example.com");
  EXPECT_EQ(data["to"], "b***@customer.example");
  EXPECT_EQ(data["reply"], "no such user <b***@customer.example> here");
  // Who guesses an address cannot check it by the id.
  WebhookNews refused{.what = WebhookEvent::suppressed, .when = noon, .to = "bob@customer.example"};
  const json id = read(refused, true)["id"];
  refused.to = "bea@customer.example";
  EXPECT_EQ(read(refused, true)["id"], id);
}

TEST(WebhookEvent, ALongReplyIsMaskedBeforeItIsCut) {
  const std::string start(1020, 'x');
  EXPECT_EQ(read_reply(start + " bob@customer.example", true), start + " b**");
}

TEST(WebhookEvent, TextsAreUtf8WithoutControlsWhateverAReplyHolds) {
  EXPECT_EQ(read_reply("one\ntwo\r\x1b[2J\x7f\t."), "one two  [2J  .");
  EXPECT_EQ(read_reply(std::string_view("a\0b", 3)), "a b");
  EXPECT_EQ(read_reply("quote \" backslash \\ {\"id\":\"x\"}"), "quote \" backslash \\ {\"id\":\"x\"}");
  EXPECT_EQ(read_reply("Grüße, 你好 \U0001f600"), "Grüße, 你好 \U0001f600");
  EXPECT_EQ(read_reply("\xff\xc3(\xed\xa0\x80"), "\ufffd\ufffd(\ufffd\ufffd\ufffd");
  EXPECT_EQ(read_reply("left\u202eright\u2028\u0085"), "left right  ");
}

TEST(WebhookEvent, ALongTextIsCutBetweenCharacters) {
  EXPECT_EQ(read_reply(std::string(64 << 10, 'x')), std::string(1024, 'x'));
  EXPECT_EQ(read_reply(std::string(64 << 10, '"')), std::string(512, '"'));
  std::string umlauts = "x";
  for (int i = 0; i < 30'000; ++i) umlauts += "ü";
  EXPECT_EQ(read_reply(umlauts), umlauts.substr(0, 1023));
}

// Texts of pieces that break parsers.
std::string hostile(std::mt19937& random) {
  static const std::vector<std::string> pieces = {"\"",      "\\",         "\n",
                                                  "\r\n",    "{\"id\":\"", "\"type\":\"message.",
                                                  "\xff",    "\xc3",       "\xf0\x9f",
                                                  "ü",       "\U0001f600", "\u202e",
                                                  "a@b.c",   "\"q\"@",     std::string(1, '\0'),
                                                  "\x1b[2J", "\\u0000",    "]}}"};
  std::string text;
  for (unsigned left = random() % 8 == 0 ? 3000 : random() % 12; left > 0; --left)
    text +=
        random() % 4 == 0 ? std::string(1, static_cast<char>(random())) : pieces[random() % pieces.size()];
  return text;
}

TEST(WebhookEvent, IsOneBoundedLineOfJsonForAnyTexts) {
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    std::string texts[7];
    for (std::string& text : texts) text = hostile(random);
    const WebhookNews news{.what = i % 2 == 0 ? WebhookEvent::deferred : WebhookEvent::failed,
                           .id = texts[0],
                           .recipient = static_cast<std::uint32_t>(random()),
                           .when = noon,
                           .from = texts[1],
                           .to = texts[2],
                           .upstream = texts[3],
                           .host = texts[4],
                           .code = static_cast<std::uint16_t>(random()),
                           .text = texts[5],
                           .provider_id = texts[6]};
    for (const bool masked : {false, true}) {
      const json event = read(news, masked);
      EXPECT_EQ(event["type"], i % 2 == 0 ? "message.deferred" : "message.failed");
      for (const auto& [key, value] : event["data"].items()) {
        if (!value.is_string()) continue;
        for (std::string_view text = value.get_ref<const std::string&>(); !text.empty();) {
          const auto point = mail::first_code_point(text);
          ASSERT_TRUE(point && !mail::is_invisible_control(point->value)) << key;
          text.remove_prefix(point->octets);
        }
      }
      EXPECT_EQ(is_superseded(line_of(news, masked)), i % 2 == 0);
    }
  }
}

TEST(WebhookEvent, OnlyADeferralIsSuperseded) {
  for (const auto& [word, what] : words_of(WebhookEvent())) {
    WebhookNews news = delivery();
    news.what = what;
    news.text = R"("type":"message.deferred")";
    EXPECT_EQ(is_superseded(line_of(news)), what == WebhookEvent::deferred) << word;
  }
  EXPECT_FALSE(is_superseded(""));
}

TEST(WebhookBatch, OfOneEventIsTheEvent) {
  const std::string line = line_of(delivery());
  const WebhookBatch batch = make_webhook_batch(line);
  EXPECT_EQ(batch.body + '\n', line);
  EXPECT_EQ(batch.id, read(delivery())["id"]);
  EXPECT_EQ(batch.octets, line.size());
  EXPECT_EQ(batch.events, 1);
}

TEST(WebhookBatch, OfSeveralHasThemInTheirOrder) {
  std::string lines;
  WebhookNews news = delivery();
  std::vector<json> events;
  for (int i = 0; i < 3; ++i) {
    news.recipient = static_cast<std::uint32_t>(i);
    news.when += 1s;
    lines += line_of(news);
    events.push_back(read(news));
  }
  const WebhookBatch batch = make_webhook_batch(lines);
  EXPECT_EQ(batch.id, events[0]["id"].get<std::string>() + "-3");
  EXPECT_EQ(batch.octets, lines.size());
  EXPECT_EQ(batch.events, 3);
  const json body = json::parse(batch.body);
  EXPECT_EQ(body, json({{"type", "message.events"},
                        {"timestamp", "2026-11-20T12:00:03.250000Z"},
                        {"data", {{"events", events}}}}));
}

TEST(WebhookBatch, HasAsManyLinesAsFitAndOneAtLeast) {
  std::mt19937 random(2);
  std::string lines;
  for (int i = 0; i < 300; ++i) {
    WebhookNews news = delivery();
    const std::string reply(random() % 2000, 'x');
    news.text = reply;
    lines += line_of(news);
  }
  std::size_t events = 0;
  for (std::string_view left = lines; !left.empty();) {
    const WebhookBatch batch = make_webhook_batch(left);
    ASSERT_GT(batch.events, 0);
    EXPECT_LE(batch.body.size(), longest_webhook_body);
    EXPECT_EQ(json::parse(batch.body)["data"]["events"].size(), batch.events);
    EXPECT_EQ(std::ranges::count(left.substr(0, batch.octets), '\n'), batch.events);
    events += batch.events;
    left.remove_prefix(batch.octets);
  }
  EXPECT_EQ(events, 300);
  EXPECT_EQ(make_webhook_batch(std::string(30'000, 'x') + "\nmore\n").events, 1);
  EXPECT_EQ(make_webhook_batch("").events, 0);

  const std::size_t frame = make_webhook_batch("x\nx\n").body.size() - 2;
  const std::string half(longest_webhook_body / 2, 'x');
  const std::string rest(longest_webhook_body - frame - half.size(), 'x');
  const std::size_t timestamp = std::string_view("2026-11-20T06:24:01.123456Z").size();
  const std::string fits = half + "\n" + rest.substr(timestamp) + "\n";
  EXPECT_EQ(make_webhook_batch(fits).events, 2);
  EXPECT_EQ(make_webhook_batch("x" + fits).events, 1);
}

// The example of Standard Webhooks 1.0.0.
TEST(WebhookSignature, IsThatOfTheStandard) {
  const auto secret = parse_webhook_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  ASSERT_TRUE(secret);
  EXPECT_EQ(webhook_signature(std::vector{*secret}, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                              R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(WebhookSignature, HasOneForEachSecret) {
  const std::string first(24, 'a');
  const std::string second(24, 'b');
  const auto signature = [](const std::vector<std::string>& secrets) {
    return webhook_signature(secrets, "evt_1", 1614265330, "{}");
  };
  EXPECT_NE(signature({first}), signature({second}));
  EXPECT_EQ(signature({first, second}), signature({first}) + " " + signature({second}));
}

TEST(WebhookSecret, HasTheFormOfTheStandard) {
  const auto parsed = [](std::size_t octets) {
    return parse_webhook_secret("whsec_" + base64::encode(std::string(octets, 'k')));
  };
  for (const std::size_t octets : {24, 25, 32, 64}) EXPECT_EQ(*parsed(octets), std::string(octets, 'k'));
  for (const std::size_t octets : {0, 1, 23, 65}) EXPECT_FALSE(parsed(octets)) << octets;
  EXPECT_EQ(parsed(23).error(), "the base64 after 'whsec_' is of 24 to 64 octets, not of 23");
}

TEST(WebhookSecret, IsNotInWhatIsSaidOfABadOne) {
  for (const std::string_view text :
       {"", "hunter2", "whsec_", "whsec_hunter2!", "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}) {
    const auto secret = parse_webhook_secret(text);
    ASSERT_FALSE(secret) << text;
    for (const char* told : {"hunter2", "MfKQ"}) EXPECT_EQ(secret.error().find(told), std::string::npos);
  }
}

}  // namespace
}  // namespace relayd::tell
