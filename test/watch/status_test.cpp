// Status: the names and values that scripts read.
#include "watch/status.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using State = LaneStatus::State;

const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 7h;

LaneStatus lane(const std::string& upstream, const std::string& account, State state) {
  LaneStatus lane;
  lane.upstream = upstream;
  lane.account = account;
  lane.state = state;
  lane.allowed = 10;
  return lane;
}

json written(Status status) {
  status.now = now;
  const std::string line = to_line(std::move(status));
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  return json::parse(line);
}

json written(const LaneStatus& lane) {
  Status status;
  status.lanes.push_back(lane);
  return written(status).at("lanes").at(0);
}

TEST(Status, OfTheQueue) {
  Status status;
  status.uptime = 90min;
  status.totals = {
      .waiting = 1, .ready = 2, .held = 3, .failed = 4, .reporting = 5, .in_doubt = 6, .troubles = 7};
  status.counted = {.accepted = 8, .delivered = 9, .deferred = 10, .failed = 11};
  status.bounced = 12;
  status.oldest = {{4711}, now - 2h};
  status.unused = {"backup"};
  status.process = {"relayd", 998, true, 4, true, "x"};
  json object = written(status);
  EXPECT_FALSE(object["version"].get<std::string>().empty());
  object.erase("version");
  EXPECT_EQ(object, json::parse(R"({
      "time": "2026-11-20T07:00:00Z", "uptime": 5400,
      "process": {"user": "relayd", "uid": 998, "confined": true, "landlock": 4, "seccomp": true, "lacks": "x"},
      "queue": {"waiting": 1, "ready": 2, "held": 3, "failed": 4, "reporting": 5,
                "oldest": {"id": "000000004j7", "accepted": "2026-11-20T05:00:00Z", "age": 7200}},
      "trouble": [{"severity": "warning", "what": "the queue's disk has made trouble since the start",
                   "advice": "`queue_trouble` in the log says what; a restart forgets it"},
                  {"severity": "warning", "what": "message 000000004j7 still waits after 120 min",
                   "since": "2026-11-20T05:00:00Z", "for": 7200,
                   "advice": "`relayd queue show 000000004j7` has each attempt"}],
      "since_start": {"accepted": 8, "delivered": 9, "deferred": 10, "failed": 11, "bounced": 12,
                      "recovered_in_doubt": 6, "disk_troubles": 7},
      "suppressed": {"count": 0, "on": false},
      "lanes": [], "unused_upstreams": ["backup"]})"));
}

TEST(Status, OfTheConfiguration) {
  Status status;
  EXPECT_FALSE(written(status).contains("configuration"));
  status.configuration = {.loaded = now - 2h};
  EXPECT_EQ(written(status)["configuration"], json::parse(R"({"loaded": "2026-11-20T05:00:00Z"})"));
  status.configuration = {now - 2h, now - 1h, "relayd.yaml:1:2: x", 3};
  EXPECT_EQ(written(status)["configuration"]["failed"],
            json::parse(R"({"time": "2026-11-20T06:00:00Z", "reason": "relayd.yaml:1:2: x", "errors": 3})"));
}

TEST(Status, OfReceiversOfWebhooks) {
  EXPECT_FALSE(written(Status()).contains("webhooks"));
  Status status;
  status.webhooks = {
      {.url = "https://a.example/", .sent = 3},
      {.url = "https://b.example/",
       .waiting = 100,
       .dropped = 2,
       .failure = "HTTP status 500",
       .since = now - 1h,
       .next = now + 43s},
      {.url = "https://c.example/", .disabled = true, .failure = "HTTP status 410", .since = now - 1h}};
  EXPECT_EQ(written(status)["webhooks"], json::parse(R"([
      {"url": "https://a.example/", "waiting_octets": 0, "sent": 3, "dropped": 0, "disabled": false},
      {"url": "https://b.example/", "waiting_octets": 100, "sent": 0, "dropped": 2, "disabled": false,
       "reason": "HTTP status 500", "failing_since": "2026-11-20T06:00:00Z",
       "next_try": "2026-11-20T07:00:43Z", "next_try_in": 43},
      {"url": "https://c.example/", "waiting_octets": 0, "sent": 0, "dropped": 0, "disabled": true,
       "reason": "HTTP status 410", "failing_since": "2026-11-20T06:00:00Z"}])"));
}

TEST(Status, OfAccounts) {
  EXPECT_FALSE(written(Status()).contains("accounts"));
  Status status;
  status.accounts = {{.name = {"ses", "app"}, .since = now - 1h, .looked_at = now - 43s},
                     {.name = {"office", ""},
                      .well = false,
                      .since = now - 1h,
                      .looked_at = now - 43s,
                      .reply_class = "auth",
                      .reason = "535 no",
                      .advice = "Correct it"}};
  EXPECT_EQ(written(status)["accounts"], json::parse(R"([
      {"upstream": "ses", "account": "app", "state": "ok", "since": "2026-11-20T06:00:00Z",
       "looked_at": "2026-11-20T06:59:17Z", "looked_age": 43},
      {"upstream": "office", "account": "", "state": "failing", "since": "2026-11-20T06:00:00Z",
       "looked_at": "2026-11-20T06:59:17Z", "looked_age": 43, "class": "auth", "reason": "535 no",
       "advice": "Correct it"}])"));
}

TEST(Status, OfALaneThatIsPaused) {
  LaneStatus paused = lane("office", "relay", State::paused);
  paused.until = now + 43s;
  paused.reply_class = "auth";
  paused.reason = "5.7.8 No";
  paused.pauses = 2;
  paused.busy = 1;
  paused.idle = 2;
  paused.waiting = 3;
  paused.recipients_per_minute = 840;
  paused.messages_per_minute = 30;
  paused.rates = {"14/s", "30 messages/m"};
  paused.quotas = {{50, 20, now + 17h}, {30, 9, now + 1h, "messages", "24h", true}};
  paused.port = 587;
  paused.first_port = 465;
  paused.pipelining_reduced = paused.next_password = true;
  paused.last_reply = "535 5.7.8 No";
  paused.last_reply_at = now - 5s;
  EXPECT_EQ(written(paused), json::parse(R"({
      "upstream": "office", "account": "relay", "state": "paused",
      "closed_until": "2026-11-20T07:00:43Z", "closed_for": 43,
      "class": "auth", "reason": "5.7.8 No", "pauses": 2,
      "connections": {"busy": 1, "idle": 2, "allowed": 10}, "waiting": 3, "recipients_per_minute": 840.0,
      "messages_per_minute": 30.0, "rates": ["14/s", "30 messages/m"],
      "quota": {"limit": 30, "left": 9, "counts": "messages", "period": "24h", "total": true,
                "resets_at": "2026-11-20T08:00:00Z", "resets_in": 3600},
      "quotas": [{"limit": 50, "left": 20, "counts": "recipients", "period": "day", "total": false,
                  "resets_at": "2026-11-21T00:00:00Z", "resets_in": 61200},
                 {"limit": 30, "left": 9, "counts": "messages", "period": "24h", "total": true,
                  "resets_at": "2026-11-20T08:00:00Z", "resets_in": 3600}],
      "port": 587, "first_port": 465, "pipelining_reduced": true, "next_password": true,
      "last_reply": "535 5.7.8 No", "last_reply_at": "2026-11-20T06:59:55Z", "last_reply_age": 5})"));
}

TEST(Status, WhatWasLearntOfAnUpstream) {
  LaneStatus one = lane("office", "", State::idle);
  one.learnt = {"lost",
                now + 24h,
                {"SIZE 1000", "8BITMIME"},
                now + 1h,
                now + 30min,
                7,
                {{"messages_per_connection", "25", now + 2h}, {"rate", "50 messages/h", now + 1h}}};
  EXPECT_EQ(written(one)["learnt"], json::parse(R"({
      "ahead": "lost", "ahead_until": "2026-11-21T07:00:00Z", "ahead_for": 86400,
      "offer": ["SIZE 1000", "8BITMIME"], "offer_until": "2026-11-20T08:00:00Z", "offer_for": 3600,
      "port_until": "2026-11-20T07:30:00Z", "port_for": 1800, "connections": 7,
      "limits": [{"key": "messages_per_connection", "value": "25",
                  "holds_until": "2026-11-20T09:00:00Z", "holds_for": 7200},
                 {"key": "rate", "value": "50 messages/h",
                  "holds_until": "2026-11-20T08:00:00Z", "holds_for": 3600}]})"));
  one.learnt = {};
  one.learnt.ahead = "untried";
  one.learnt.offer = {"8BITMIME"};
  one.learnt.offer_until = now;
  EXPECT_EQ(written(one)["learnt"], json::parse(R"({"ahead": "untried"})"));
}

TEST(Status, OldReasonsOfALaneThatWorksAreLeftOut) {
  for (const State state : {State::slowed, State::open, State::idle}) {
    LaneStatus well = lane("office", "", state);
    well.until = now - 1h;
    well.reply_class = "auth";
    well.reason = "5.7.8 No";
    EXPECT_EQ(written(well), json::parse(R"({
        "upstream": "office", "account": "", "connections": {"busy": 0, "idle": 0, "allowed": 10},
        "waiting": 0, "pipelining_reduced": false, "next_password": false, "state": ")" +
                                         std::string(to_string(state)) + "\"}"));
  }
}

TEST(Status, TheWorstComesFirst) {
  Status status;
  for (const State state :
       {State::idle, State::open, State::slowed, State::probing, State::quota_used_up, State::paused})
    for (const char* account : {"b", "a"}) status.lanes.push_back(lane("office", account, state));
  std::string order;
  const json object = written(status);
  for (const json& entry : object.at("lanes"))
    order += entry["state"].get<std::string>() + " " + entry["account"].get<std::string>() + "\n";
  EXPECT_EQ(order,
            "paused a\npaused b\nquota_used_up a\nquota_used_up b\nprobing a\nprobing b\n"
            "slowed a\nslowed b\nopen a\nopen b\nidle a\nidle b\n");
}

TEST(Status, AReplyThatIsNoUtf8CostsNothing) {
  LaneStatus odd = lane("office", "relay", State::idle);
  odd.last_reply = "250 caf\xe9";
  EXPECT_EQ(written(odd)["last_reply"], "250 caf\xef\xbf\xbd");
}

}  // namespace
}  // namespace relayd::watch
