// Where the recipients of one message go by rules of their own.
#include "relay/routing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "relay/sending_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr std::string_view text = "text\r\n";

class RoutingTest : public test::SendingFixture {
 protected:
  void SetUp() override {
    SendingFixture::SetUp();
    add_upstream("office", {1});
    add_upstream("lists", {2});
    add_rule("*", {"office"});
  }
  config::SenderRule& add_recipient_rule(const std::string& match, std::vector<std::string> upstreams) {
    config::SenderRule& rule = config->recipients.emplace_back();
    rule.match = match;
    for (std::string& name : upstreams) rule.upstreams.push_back({.name = std::move(name)});
    return rule;
  }
  static std::string takes(const std::vector<std::string>& recipients) {
    std::string lines = greeting() + envelope(recipients);
    for (std::size_t i = 0; i < recipients.size(); ++i) lines += "S: 250 Ok\n";
    return lines + content();
  }
  // For this recipient, and for 300 of whom each has a way of its own; all that may has been sent.
  queue::MessageId commit_many_ways(std::string first) {
    std::vector<std::string> recipients = {std::move(first)};
    for (int i = 0; i < 300; ++i) {
      recipients.push_back(fmt::format("r{}@example.org", i));
      config::SenderRule& rule = add_recipient_rule(recipients.back(), {"office"});
      rule.changes.headers.set.push_back({"X-Way", std::to_string(i)});
    }
    start(server);
    const queue::MessageId id = commit("Subject: x\r\n\r\ntext\r\n", recipients);
    pass(1h);
    return id;
  }
  std::vector<std::size_t> unsent_by_shipment(queue::MessageId id) {
    std::vector<std::size_t> counts;
    message(id).for_each_shipment(
        [&counts](const queue::Shipment& shipment) { counts.push_back(shipment.unsent); });
    return counts;
  }
};

TEST_F(RoutingTest, EachRecipientGoesWhereItsRuleSays) {
  add_recipient_rule("@lists.example", {"lists"});
  start();
  expect(1, takes({"b@example.org", "d@example.org"}));
  expect(2, takes({"c@lists.example"}));
  const queue::MessageId id = commit(text, {"b@example.org", "c@lists.example", "d@example.org"});
  run_until_attempts(3);
  EXPECT_THAT(attempts, UnorderedElementsAre("office b@example.org 250 Ok", "office d@example.org 250 Ok",
                                             "lists c@lists.example 250 Ok"));
  EXPECT_EQ(queue->find(id), nullptr);
  EXPECT_EQ(complaints(), "");
}

TEST_F(RoutingTest, ThoseWhoGoOneWayByDifferentRulesGoTogether) {
  add_recipient_rule("@lists.example", {"office"});
  start();
  expect(1, takes({"b@example.org", "c@lists.example"}));
  commit(text, {"b@example.org", "c@lists.example"});
  run_until_attempts(2);
  EXPECT_EQ(dials(), 1u);
  EXPECT_EQ(complaints(), "");
}

TEST_F(RoutingTest, AnUpstreamInTroubleHoldsUpNobodyWhoGoesAnotherWay) {
  add_recipient_rule("@lists.example", {"lists"});
  start();
  expect(1, takes({"b@example.org"}));
  const queue::MessageId id = commit(text, {"c@lists.example", "b@example.org"});
  run_until_attempts(2);
  EXPECT_THAT(attempts, testing::Contains("office b@example.org 250 Ok"));
  ASSERT_NE(queue->find(id), nullptr);
  EXPECT_THAT(unsent_by_shipment(id), ElementsAre(1));
  EXPECT_THAT(dispatcher->upstreams_of(message(id)), ElementsAre("lists"));
}

TEST_F(RoutingTest, WhatIsLeftIsRoutedAnewAfterAStart) {
  add_recipient_rule("@lists.example", {"lists"});
  start();
  const queue::MessageId id = commit(text, {"c@lists.example", "b@example.org", "d@example.org"});
  run_until_attempts(3);
  dispatcher->shut_down();
  dispatcher->abort();
  run_task(dispatcher->drained(), &loop);
  dispatcher.reset();
  reopen();
  EXPECT_THAT(unsent_by_shipment(id), ElementsAre(3));
  attempts.clear();
  start();
  expect(1, takes({"b@example.org", "d@example.org"}));
  expect(2, takes({"c@lists.example"}));
  advance(2h);
  EXPECT_THAT(attempts, UnorderedElementsAre("office b@example.org 250 Ok", "office d@example.org 250 Ok",
                                             "lists c@lists.example 250 Ok"));
  EXPECT_EQ(complaints(), "");
}

TEST_F(RoutingTest, ARuleThatRejectsEndsItsRecipientsAlone) {
  add_recipient_rule("@gone.example", {}).reject = "550 5.1.2 Gone";
  start();
  expect(1, takes({"b@example.org"}));
  commit(text, {"c@gone.example", "b@example.org"});
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok"));
  ASSERT_EQ(given_up.size(), 1u);
  EXPECT_THAT(given_up.front(), testing::EndsWith(" 1 550 5.1.2 Gone"));
}

TEST_F(RoutingTest, AReloadReachesWhatWaits) {
  add_recipient_rule("@lists.example", {"lists"});
  start();
  const queue::MessageId id = commit(text, {"c@lists.example", "b@example.org"});
  run_until_attempts(2);
  attempts.clear();
  auto changed = std::make_shared<config::Config>(*config);
  changed->recipients[0].upstreams[0].name = "office";
  changed->recipients[0].match = "@example.org";
  changed->recipients[0].upstreams[0].name = "lists";
  config = changed;
  reload();
  expect(1, takes({"c@lists.example"}));
  expect(2, takes({"b@example.org"}));
  dispatcher->clear_way(message(id));
  queue->retry(message(id));
  run_until_attempts(2);
  EXPECT_THAT(attempts, UnorderedElementsAre("office c@lists.example 250 Ok", "lists b@example.org 250 Ok"));
  EXPECT_EQ(complaints(), "");
}

TEST_F(RoutingTest, AFailedMessageThatIsRetriedIsRoutedByEachOfItsRecipients) {
  add_recipient_rule("@lists.example", {"lists"});
  start();
  for (const auto& [port, recipient] : {std::pair(1, "b@example.org"), std::pair(2, "c@lists.example")})
    expect(static_cast<std::uint16_t>(port),
           greeting() + envelope({recipient}) + "S: 550 5.1.1 No\n S: 554 No\n");
  const queue::MessageId id = commit(text, {"b@example.org", "c@lists.example"});
  run_until_attempts(2);
  EXPECT_EQ(message(id).state, queue::MessageState::failed);
  advance(2min);  // the connections are over
  attempts.clear();
  expect(1, takes({"b@example.org"}));
  expect(2, takes({"c@lists.example"}));
  queue->retry(message(id));
  run_until_attempts(2);
  EXPECT_THAT(attempts, UnorderedElementsAre("office b@example.org 250 Ok", "lists c@lists.example 250 Ok"));
}

TEST_F(RoutingTest, MoreWaysThanAMessageHasShipmentsAreTakenInTurn) {
  constexpr int ways = 300;
  std::vector<std::string> recipients;
  for (int i = 0; i < ways; ++i) {
    recipients.push_back(fmt::format("r{}@example.org", i));
    config::SenderRule& rule = add_recipient_rule(recipients.back(), {i % 2 == 0 ? "office" : "lists"});
    rule.changes.headers.set.push_back({"X-Way", std::to_string(i)});
  }
  start(server);
  const queue::MessageId id = commit("Subject: x\r\n\r\ntext\r\n", recipients);
  pass(1h);
  EXPECT_EQ(queue->find(id), nullptr);
  ASSERT_EQ(server.taken.size(), static_cast<std::size_t>(ways));
  std::set<std::string> reached(attempts.begin(), attempts.end());
  for (int i = 0; i < ways; ++i)
    EXPECT_TRUE(
        reached.contains(fmt::format("{} r{}@example.org 250 Ok", i % 2 == 0 ? "office" : "lists", i)))
        << i;
}

// There is no room for a shipment of each way: who stays in the first is of no other's rule.
TEST_F(RoutingTest, AFirstRecipientWhoIsRejectedTakesNobodyWithHim) {
  add_recipient_rule("@gone.example", {}).reject = "550 5.1.2 Gone";
  commit_many_ways("none@gone.example");
  EXPECT_EQ(server.taken.size(), 300U);
  ASSERT_EQ(given_up.size(), 1U);
  EXPECT_THAT(given_up.front(), testing::EndsWith(" 1 550 5.1.2 Gone"));
}

TEST_F(RoutingTest, AFirstRecipientWhomNoRuleIsForHoldsUpNobody) {
  config->senders.clear();
  const queue::MessageId id = commit_many_ways("none@gone.example");
  EXPECT_EQ(server.taken.size(), 300U);
  EXPECT_THAT(unsent_by_shipment(id), ElementsAre(1));
  EXPECT_THAT(given_up, IsEmpty());
}

TEST_F(RoutingTest, WhereTheSenderDecidesNoMessageIsRead) {
  start();
  expect(1, takes({"b@example.org"}));
  const queue::MessageId id = commit(text);
  EXPECT_EQ(message(id).first.route, 0u);
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok"));
  EXPECT_THAT(given_up, IsEmpty());
}

}  // namespace
}  // namespace relayd
