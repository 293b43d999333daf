// Dispatcher and lanes under many messages: limits that an upstream names, outages, accounts side by side.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <random>

#include "relay/sending_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class SendingTest : public test::SendingFixture {};

// --- what an upstream says of its limits ---

TEST_F(SendingTest, TooFastIsSlowedForAMomentAndBouncesNothing) {
  add_office();
  int calls = 0;
  server.answer = [&](std::string_view command, const std::string&) {
    return command == "." && ++calls == 20 ? "451 4.7.1 Rate limit exceeded" : "";
  };
  start_office();
  hand_in("a@example.org", 40);
  run_until_quiet();
  EXPECT_LT(server.taken.size(), 40U);
  EXPECT_EQ(left(), 40 - server.taken.size());
  for (int tick = 0; tick < 120 && left() > 0; ++tick) pass(1s);
  EXPECT_EQ(server.taken.size(), 40U);
  EXPECT_EQ(left(), 0U);
}

TEST_F(SendingTest, TooManyConnectionsAreFewerAndNobodyWaits) {
  add_office().limits.connections = 5;
  server.answer = [&](std::string_view command, const std::string&) {
    return command.empty() && server.connections > 3 ? "421 4.7.0 Too many connections" : "";
  };
  start_office();
  hand_in("a@example.org", 100);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 100U);
  EXPECT_EQ(left(), 0U);
}

TEST_F(SendingTest, AQuotaThatIsUsedUpIsAskedAboutOnceAnHour) {
  add_office();
  bool open = false;
  server.answer = [&](std::string_view command, const std::string&) {
    return command == "." && !open ? "454 4.7.0 Daily message quota exceeded" : "";
  };
  start_office();
  hand_in("a@example.org", 50);
  run_until_quiet();
  const std::size_t dials = server.dials;
  for (int hour = 0; hour < 5; ++hour) pass(1h + 1s);
  EXPECT_LE(server.dials - dials, 6U);
  EXPECT_EQ(left(), 50U);
  open = true;
  pass(1h + 1s);
  pass(1s);
  EXPECT_EQ(server.taken.size(), 50U);
}

TEST_F(SendingTest, AConfiguredQuotaHoldsOverARestart) {
  add_office().limits.quota = std::vector<config::Quota>{{30, config::Quota::Period::day}};
  start_office();
  hand_in("a@example.org", 50);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 30U);
  // A restart: what was used is on disk.
  dispatcher->shut_down();
  run_task(dispatcher->drained(), &loop);
  dispatcher.reset();
  reopen();
  start(server);
  dispatcher->open("mark");
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 30U);
  EXPECT_EQ(left(), 20U);
  pass(24h);
  EXPECT_EQ(server.taken.size(), 50U);
}

TEST_F(SendingTest, ARateOfAnHourHoldsOverCrashes) {
  add_office().limits.rate = std::vector<config::Rate>{{20, 1h}};
  start_office();
  hand_in("a@example.org", 60);
  for (int crash = 0; crash < 40; ++crash) {
    pass(2s);
    run_task(workers.run([] {}), &loop);  // the book is a second behind
    dispatcher->abort();
    dispatcher->shut_down();
    run_task(dispatcher->drained(), &loop);
    dispatcher.reset();
    reopen();
    start(server);
    dispatcher->open("mark");
  }
  EXPECT_LE(server.taken.size(), 20U);
  pass(2h);
  EXPECT_GE(server.taken.size(), 40U);
}

TEST_F(SendingTest, WhatASlowLaneDoesNotReachInItsLifetimeIsGivenUp) {
  add_office().limits.rate = std::vector<config::Rate>{{1, 1h}};
  config->queue.lifetime = 150min;
  start_office();
  hand_in("a@example.org", 10);
  pass(24h);
  EXPECT_EQ(server.taken.size(), 3U);
  EXPECT_EQ(queue->totals().failed, 7U);
}

// --- outages ---

// How many messages wait: enough to see a herd. RELAYD_TEST_MESSAGES=100000 is the long form.
int many() {
  const char* const wanted = std::getenv("RELAYD_TEST_MESSAGES");
  return wanted ? std::stoi(wanted) : 3'000;
}

TEST_F(SendingTest, ThreeDaysDownCostNothingAndTheReturnIsNoHerd) {
  add_office();
  config->queue.lifetime = std::chrono::hours(5 * 24);
  config->queue.retry.jitter = 0.2;
  server.down = true;
  start_office();
  const int count = many();
  hand_in("a@example.org", count);
  run_until_quiet();
  const std::clock_t before = std::clock();
  for (int hour = 0; hour < 72; ++hour) pass(1h);
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  RecordProperty("ProcessorSecondsOfThreeDays", fmt::format("{:.1f}", seconds));
  EXPECT_LE(server.dials, 3U * 24 * 60 * 3 / 2);  // one a minute, and jitter
  EXPECT_EQ(left(), static_cast<std::size_t>(count));

  server.down = false;
  for (int minute = 0; minute < 120 && left() > 0; ++minute) pass(1min);
  ASSERT_EQ(server.taken.size(), static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < server.taken.size(); ++i) {
    // Oldest first, but for those that travel side by side.
    ASSERT_NEAR(std::stoi(server.taken[i].content), static_cast<double>(i), 400);
    // One connection more for each delivery.
    if (i < 10) {
      EXPECT_LE(server.taken[i].connections, i + 1);
    }
  }
}

TEST_F(SendingTest, TheFirstUpstreamIsTakenAgainWhenItIsWell) {
  add_office();
  add_upstream("backup", {2});
  add_rule("*", {"office", "backup"});
  std::string refusal = "554 5.3.2 No mail here";
  server.answer = [&](std::string_view command, const std::string&) -> std::string {
    return command.empty() && !refusal.empty() && server.dials % 2 == 1 ? refusal : "";
  };
  start(server);
  hand_in("a@example.org", 1);
  run_until_quiet();
  EXPECT_THAT(attempts, ElementsAre(testing::StartsWith("office"), "backup b@example.org 250 Ok"));
  refusal.clear();
  hand_in("a@example.org", 1);  // the first is still paused
  run_until_quiet();
  EXPECT_THAT(attempts.back(), testing::StartsWith("backup"));
  pass(60s);
  hand_in("a@example.org", 1);
  run_until_quiet();
  EXPECT_THAT(attempts.back(), testing::StartsWith("office"));
}

// --- accounts ---

// A hundred accounts at one host, with servers that stop, connections that end and passwords that are wrong:
// each message leaves under its own account or not at all.
TEST_F(SendingTest, NoMessageLeavesUnderAnotherAccount) {
  config::Upstream& office = add_office();
  office.limits.connections_total = 20;
  office.limits.connections = 3;
  constexpr int accounts = 100;
  for (int i = 0; i < accounts; ++i)
    give_account(add_rule(fmt::format("s{}@example.org", i), {"office"}), fmt::format("s{}", i));
  std::mt19937 random(1);
  server.answer = [&](std::string_view command, const std::string& account) -> std::string {
    if (command == "AUTH") return account.ends_with('7') ? "535 5.7.8 Wrong" : "";
    if (random() % 50 == 0) return "421 4.3.2 Stopping";
    return command == "." && random() % 20 == 0 ? "451 4.3.0 Later" : "";
  };
  start(server);
  for (int round = 0; round < 10; ++round)
    for (int i = 0; i < accounts; ++i) hand_in(fmt::format("s{}@example.org", i), 1);
  run_until_quiet();
  for (int hour = 0; hour < 24 && left() > 100; ++hour) pass(1h);
  EXPECT_GE(server.taken.size(), 900U);
  EXPECT_EQ(left(), 100U) << "those of the ten wrong passwords wait";
  for (const test::FakeUpstream::Taken& message : server.taken)
    ASSERT_EQ(message.account + "@example.org", message.sender);
}

TEST_F(SendingTest, RulesWithOneAccountShareItsConnection) {
  add_office();
  give_account(add_rule("a@example.org", {"office"}), "shared");
  give_account(add_rule("b@example.org", {"office"}), "shared");
  int greetings = 0;
  server.answer = [&](std::string_view command, const std::string&) {
    if (command.empty()) ++greetings;
    return "";
  };
  start(server);
  for (int i = 0; i < 3; ++i) {
    hand_in("a@example.org", 1);
    run_until_quiet();
    hand_in("b@example.org", 1);
    run_until_quiet();
  }
  EXPECT_EQ(server.taken.size(), 6U);
  EXPECT_EQ(greetings, 1);
}

// --- fairness ---

TEST_F(SendingTest, ANewsletterDelaysNobodyElse) {
  add_office().limits.rate = std::vector<config::Rate>{{10, 1s}};
  start_office();
  hand_in("news@example.org", 5'000);
  pass(10s);
  hand_in("accounts@example.org", 1);
  const SteadyTime handed_in = loop.now();
  pass(5s);
  const auto found = std::find_if(server.taken.begin(), server.taken.end(), [](const auto& message) {
    return message.sender == "accounts@example.org";
  });
  ASSERT_NE(found, server.taken.end());
  EXPECT_LE(found->when - handed_in, 200ms);
  EXPECT_GE(server.taken.size(), 149U);
  EXPECT_LE(server.taken.size(), 152U);
}

}  // namespace
}  // namespace relayd
