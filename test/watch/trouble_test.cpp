// Trouble: what needs a person, and what does not yet.
#include "watch/trouble.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;
using State = LaneStatus::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 7h;

LaneStatus paused(const std::string& upstream, const std::string& account, const std::string& reply_class,
                  WallTime::duration since) {
  LaneStatus lane;
  lane.upstream = upstream;
  lane.account = account;
  lane.state = State::paused;
  lane.reply_class = reply_class;
  lane.reason = "5.7.8 no";
  lane.since = now - since;
  return lane;
}

std::vector<std::string> told(Status status) {
  status.now = now;
  std::vector<std::string> lines;
  for (const Trouble& trouble : troubles_of(status))
    lines.push_back(std::string(to_string(trouble.severity)) + ": " + trouble.what);
  return lines;
}

std::vector<std::string> told(const LaneStatus& lane) {
  Status status;
  status.lanes = {lane};
  return told(status);
}

TEST(Trouble, OfAQuietRelayIsNone) {
  Status status;
  status.oldest = {{1}, now - 59min};
  status.disk_free = 600_MiB;
  status.disk_reserve = 256_MiB;
  status.totals = {.waiting = 10, .held = 2};
  status.lanes.resize(3);
  EXPECT_THAT(told(status), IsEmpty());
}

TEST(Trouble, AWrongPasswordIsCriticalAtOnce) {
  const LaneStatus lane = paused("ses", "app", "auth", 1s);
  EXPECT_THAT(told(lane), ElementsAre("critical: ses as app is paused because auth: \"5.7.8 no\""));
  Status status;
  status.now = now;
  status.lanes = {lane};
  const Trouble trouble = troubles_of(status).at(0);
  EXPECT_EQ(trouble.since, now - 1s);
  EXPECT_EQ(trouble.advice, "`relayd doctor ses` tries the way there and says what to change");
  EXPECT_EQ(trouble.upstream, "ses");
  EXPECT_EQ(trouble.account, "app");
}

TEST(Trouble, WhatMayPassIsToldOnceItHasLasted) {
  for (const char* reply_class : {"connect", "rate", "conn", "temp"}) {
    EXPECT_THAT(told(paused("ses", "", reply_class, 299s)), IsEmpty()) << reply_class;
    EXPECT_THAT(told(paused("ses", "", reply_class, 300s)), ElementsAre(HasSubstr("warning: ses is paused")));
  }
  EXPECT_THAT(told(paused("ses", "", "tls", 1s)), ElementsAre(HasSubstr("warning: ses is paused")));
}

TEST(Trouble, AProbeDoesNotEndIt) {
  LaneStatus lane = paused("ses", "app", "auth", 1h);
  lane.state = State::probing;
  EXPECT_THAT(told(lane), ElementsAre(HasSubstr("critical: ses as app")));
}

TEST(Trouble, WhatTheOperatorPausedIsNotForgotten) {
  LaneStatus lane = paused("ses", "app", "", 1h);
  lane.state = State::stopped;
  EXPECT_THAT(told(lane), ElementsAre("warning: ses as app is paused by the operator"));
}

TEST(Trouble, AQuotaThatIsUsedUpCountsWhereMailWaits) {
  LaneStatus lane = paused("ses", "app", "", {});
  lane.state = State::quota_used_up;
  EXPECT_THAT(told(lane), IsEmpty());
  lane.waiting = 1;
  EXPECT_THAT(told(lane), ElementsAre("warning: ses as app is held back by a quota that is used up"));
}

TEST(Trouble, AccountsInTheSameTroubleAreOneLine) {
  Status status;
  for (int i = 0; i < 200; ++i)
    status.lanes.push_back(paused("ses", "app" + std::to_string(i), "auth", std::chrono::hours(i)));
  status.lanes.emplace_back().upstream = "ses";
  EXPECT_THAT(told(status),
              ElementsAre("critical: 200 of 201 accounts at ses are paused because auth: \"5.7.8 no\""));
  status.now = now;
  EXPECT_EQ(troubles_of(status).at(0).since, now - 199h);
}

TEST(Trouble, AnAccountThatTheWatchFoundIsToldOnce) {
  Status status;
  status.accounts = {
      {.name = {"ses", "app"}, .well = false, .since = now - 2h, .reason = "535 no", .advice = "x"},
      {.name = {"ses", "other"}, .suspected = true, .reason = "refused"}};
  status.lanes = {paused("ses", "app", "auth", 1h)};
  EXPECT_THAT(told(status), ElementsAre("critical: ses as app fails: 535 no"));
}

TEST(Trouble, OfTheDisk) {
  Status status;
  status.disk_reserve = 256_MiB;
  status.disk_free = 511_MiB;
  EXPECT_THAT(
      told(status),
      ElementsAre("warning: the queue's disk has 511 MiB free, and with less than 256 MiB no mail is taken"));
  status.disk_free = 255_MiB;
  EXPECT_THAT(told(status), ElementsAre("critical: the queue's disk has 255 MiB free, so no mail is taken"));
  status.disk_free.reset();
  status.totals.troubles = 1;
  EXPECT_THAT(told(status), ElementsAre("warning: the queue's disk has made trouble since the start"));
}

TEST(Trouble, OfTheQueue) {
  Status status;
  status.oldest = {{1}, now - 1h};
  EXPECT_THAT(told(status), ElementsAre("warning: message 00000000001 still waits after 60 min"));
  status.oldest = {{1}, now - 4h};
  status.totals.held_in_doubt = 2;
  EXPECT_THAT(told(status),
              ElementsAre("critical: message 00000000001 still waits after 240 min",
                          "warning: messages are held since an upstream may already have taken them: 2"));
}

TEST(Trouble, OfWhatComesToAnEnd) {
  Status status;
  status.certificates = {{"listener", "127.0.0.1:25", now + 14 * 24h},
                         {"listener", "127.0.0.1:26", now + 14 * 24h + 1s},
                         {"client", "ses", now - 1s},
                         {"server", "ses", now - 1s},
                         {"client", "none", std::nullopt}};
  status.credentials = {{"client_secret", {"office", "a"}, now + 36h},
                        {"access_token", {"office", "a"}, now}};
  EXPECT_THAT(told(status), ElementsAre("critical: our certificate for ses has ended",
                                        "warning: the certificate of 127.0.0.1:25 ends in 14 days",
                                        "warning: the client secret of office as a ends in 1 day"));
}

TEST(Trouble, OfWebhooksAndTheConfiguration) {
  Status status;
  status.webhooks = {{.url = "https://a/", .failure = "500", .since = now - 4min},
                     {.url = "https://b/", .failure = "500", .since = now - 5min},
                     {.url = "https://c/", .disabled = true, .failure = "410", .since = now - 1s}};
  status.configuration = {now - 2h, now - 1h, "relayd.yaml:1:2: x", 3};
  EXPECT_THAT(told(status),
              ElementsAre("warning: webhooks to https://b/ fail: 500",
                          "warning: https://c/ wants no more webhooks (410)",
                          "warning: the configuration on disk cannot be used: relayd.yaml:1:2: x"));
}

TEST(Trouble, AStartIsAWarning) {
  Status status;
  status.now = now;
  status.uptime = 90s;
  status.starting.emplace();
  ASSERT_EQ(troubles_of(status).size(), 1u);
  EXPECT_EQ(troubles_of(status)[0].since, now - 90s);
  EXPECT_THAT(told(status), ElementsAre("warning: it starts: the queue is being read"));
}

}  // namespace
}  // namespace relayd::watch
