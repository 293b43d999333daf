// Sites: what all accounts at one upstream learn together, by a whole dispatcher.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/sending_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class SitesTest : public test::SendingFixture {
 protected:
  void hand_in_for_each(int accounts, int count) {
    for (int i = 0; i < accounts; ++i) hand_in(fmt::format("s{}@example.org", i), count);
  }
  void remove_all_of(const std::string& sender) {
    std::vector<queue::MessageId> ids;
    queue->for_each([&](const queue::Message& message) {
      if (message.routing_sender == sender) ids.push_back(message.id());
    });
    for (const queue::MessageId id : ids) queue->remove(*queue->find(id));
  }
  // Until nothing is left, or two hours have passed: what tried for all has a back-off of its own.
  void finish() {
    for (int minute = 0; minute < 120 && left() > 0; ++minute) pass(1min);
  }
};

TEST_F(SitesTest, AnOutageIsMetOnceForAllAccounts) {
  add_office();
  add_accounts(100);
  server.down = true;
  start(server);
  hand_in_for_each(100, 3);
  run_until_quiet();
  pass(1h);
  EXPECT_LE(server.dials, 75U);
  EXPECT_EQ(left(), 300U);
  server.down = false;
  pass(65s);
  EXPECT_EQ(server.taken.size(), 300U);
  EXPECT_EQ(left(), 0U);
}

// What was met behind the login of one account after another is met once, too.
TEST_F(SitesTest, AnUpstreamThatEndsAllSessionsIsLeftAlone) {
  add_office();
  add_accounts(50);
  bool ends = true;
  server.answer = [&](std::string_view command, const std::string&) {
    return ends && command.starts_with("MAIL") ? "421 4.7.0 Try again later" : "";
  };
  start(server);
  hand_in_for_each(50, 10);
  run_until_quiet();
  pass(1h);
  EXPECT_LE(server.dials, 200U);
  ends = false;
  pass(65s);
  EXPECT_GE(server.taken.size(), 480U);
  finish();
  EXPECT_EQ(server.taken.size(), 500U);
}

// Each connection there is may have one in doubt when it shows; then one message tries at a time.
TEST_F(SitesTest, AnUpstreamThatFallsSilentPutsFewMessagesInDoubt) {
  add_office().limits.connections_total = 10;
  add_accounts(20);
  server.answer = [&](std::string_view command, const std::string&) {
    return command == "." ? std::string(test::FakeUpstream::silence) : "";
  };
  start(server);
  hand_in_for_each(20, 20);
  for (int minute = 0; minute < 60; ++minute) advance(1min);
  std::size_t doubtful = 0;
  queue->for_each([&](const queue::Message& message) { doubtful += message.in_doubt(); });
  EXPECT_LE(doubtful, 16U);
}

TEST_F(SitesTest, AnAccountThatIsSentAwayStopsNoOther) {
  add_office();
  add_accounts(10);
  server.answer = [&](std::string_view command, const std::string& account) {
    return account == "s3" && command.starts_with("MAIL") ? "421 4.7.0 Go away" : "";
  };
  start(server);
  hand_in_for_each(10, 20);
  run_until_quiet();
  pass(1min);
  EXPECT_EQ(server.taken.size(), 180U);
  const std::size_t dials = server.dials;
  pass(1h);
  EXPECT_LE(server.dials - dials, 75U);
  EXPECT_EQ(left(), 20U);
  EXPECT_FALSE(taken_by_account().contains("s3"));
}

// The account that tries for all has a wrong password: the others need not wait for it.
TEST_F(SitesTest, AWrongPasswordOfTheOneThatTriesKeepsNobodyOut) {
  add_office();
  add_accounts(20);
  server.down = true;
  server.answer = [&](std::string_view command, const std::string& account) {
    return command == "AUTH" && account != "s7" ? "535 5.7.8 Wrong" : "";
  };
  start(server);
  hand_in_for_each(20, 1);
  run_until_quiet();
  server.down = false;
  pass(10s);
  EXPECT_THAT(taken_by_account(), ElementsAre(testing::Pair("s7", 1)));
  EXPECT_EQ(left(), 19U);
}

TEST_F(SitesTest, AllAccountsTakeTheNextUpstreamAndComeBack) {
  add_office();
  add_upstream("backup", {2});
  add_accounts(30, {"office", "backup"});
  server.closed = {1};
  start(server);
  hand_in_for_each(30, 2);
  run_until_quiet();
  EXPECT_THAT(taken_by_account(), ElementsAre(testing::Pair("", 60)));
  const std::size_t dials = server.dials;
  pass(10min);
  EXPECT_LE(server.dials - dials, 15U);
  server.closed = {};
  pass(65s);  // one has knocked
  hand_in_for_each(30, 1);
  run_until_quiet();
  EXPECT_EQ(taken_by_account()[""], 60);
  EXPECT_EQ(server.taken.size(), 90U);
}

// Whoever was asked to try had nothing to send any more.
TEST_F(SitesTest, WhatWasDeletedMeanwhileKeepsNobodyOut) {
  add_office();
  add_accounts(2);
  server.down = true;
  start(server);
  hand_in("s0@example.org", 1);
  run_until_quiet();
  hand_in("s1@example.org", 1);
  run_until_quiet();
  remove_all_of("s0@example.org");
  server.down = false;
  pass(6s);
  EXPECT_EQ(taken_by_account()["s1"], 1);
}

// Nothing waits when the pause is over: the next message finds the way by itself.
TEST_F(SitesTest, TheNextMessageTriesWhereNobodyWaits) {
  add_office();
  add_accounts(2);
  server.down = true;
  start(server);
  hand_in("s0@example.org", 1);
  run_until_quiet();
  remove_all_of("s0@example.org");
  pass(1h);
  EXPECT_EQ(server.dials, 1U);
  server.down = false;
  hand_in("s1@example.org", 1);
  pass(1s);
  EXPECT_EQ(taken_by_account()["s1"], 1);
}

}  // namespace
}  // namespace relayd
