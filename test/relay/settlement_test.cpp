// Settlement: what was decided about an attempt reaches the queue, the lane and those who are told.
#include "relay/settlement.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "relay/lanes_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::RecipientState;
using send::Event;
using smtp::Stage;
using testing::ElementsAre;

class SettlementTest : public test::LanesWorld {
 protected:
  void SetUp() override {
    LanesWorld::SetUp();
    add_upstream("office", {1});
    add_upstream("backup", {2});
    add_rule("*", {"office", "backup"});
    open();
    lifetime.emplace(loop, *queue, setup);
    settlement.emplace(loop, log, *queue, setup, *lifetime, *lanes, health, book, publisher);
    publisher.subscribe({.attempted = [this](const tell::Outcome& outcome) {
      told.push_back(fmt::format("{} {} {} {}", static_cast<int>(outcome.fate), outcome.to, outcome.upstream,
                                 outcome.provider_id));
    }});
  }
  static Event reply(Stage stage, const std::string& line) {
    smtp::ReplyParser parser;
    parser.feed(line + "\r\n");
    return {stage, parser.take()};
  }
  // An attempt at the office, with an event for each recipient.
  void settle(MessageId id, const std::vector<Event>& events) {
    const queue::ShipmentId shipment_id = shipment(id).id;
    queue->take(shipment(id));
    const QueueDelivery delivery(*queue, workers, shipment(id), read(id),
                                 {"office", 100, [this] { return loop.wall_now(); }});
    send::Report report;
    report.host = "office.example.net:1";
    for (const std::uint32_t recipient : delivery.recipients())
      report.recipients.push_back({recipient, events.at(report.recipients.size())});
    settlement->settle(lane(), shipment_id, delivery, report);
    flush();
  }
  Duration waits(MessageId id) { return shipment(id).due - loop.now(); }

  std::vector<std::string> told;  // "fate recipient upstream id"
  std::optional<Lifetime> lifetime;
  tell::Publisher publisher{log};
  std::optional<Settlement> settlement;
};

TEST_F(SettlementTest, WhatWasDeliveredToAllIsGoneAndTold) {
  const MessageId id = commit("text\r\n");
  settle(id, {reply(Stage::final_dot, "250 2.0.0 Ok: queued as 12")});
  EXPECT_EQ(queue->find(id), nullptr);
  EXPECT_THAT(told, ElementsAre("0 b@example.org office 12"));
  EXPECT_EQ(lane().last_reply, "250 2.0.0 Ok: queued as 12");
}

TEST_F(SettlementTest, EachRecipientHasItsOwnOutcome) {
  const MessageId id = commit("text\r\n", {"b@example.org", "c@example.org", "d@example.org"});
  settle(id, {reply(Stage::rcpt, "550 5.1.1 No"), reply(Stage::rcpt, "450 4.2.0 Later"),
              reply(Stage::final_dot, "250 Ok")});
  EXPECT_THAT(look(id).states,
              ElementsAre(RecipientState::failed, RecipientState::pending, RecipientState::delivered));
  EXPECT_EQ(waits(id), 60s);
  EXPECT_EQ(told.size(), 3U);
}

TEST_F(SettlementTest, WhatMovesOnIsDueAtTheNextUpstream) {
  config->upstreams[0].retry_next_on = smtp::ReplyClasses{smtp::ReplyClass::sender};
  open();
  const MessageId id = commit("text\r\n");
  settle(id, {reply(Stage::mail, "553 5.7.1 Not ours")});
  EXPECT_EQ(shipment(id).route_step, 1);
  EXPECT_EQ(waits(id), 0s);
}

TEST_F(SettlementTest, ALaneThatStopsIsPausedAndTheMessageIsNot) {
  const MessageId id = commit("text\r\n");
  settle(id, {reply(Stage::auth, "535 5.7.8 No")});
  EXPECT_TRUE(lane().paused());
  EXPECT_EQ(waits(id), 0s);
}

TEST_F(SettlementTest, DoubtIsHeldWhereTheConfigurationWantsThat) {
  config->queue.in_doubt = config::Queue::InDoubt::hold;
  const MessageId id = commit("text\r\n");
  queue->take(shipment(id));
  doubt(id, "office");
  queue->release(shipment(id), loop.now());
  settle(id, {Event(Stage::final_dot, smtp::Trouble::broken, "closed")});
  EXPECT_EQ(message(id).state, queue::MessageState::held);
}

TEST_F(SettlementTest, NoWaitOutlastsTheLifetime) {
  config->queue.lifetime = 40s;
  const MessageId id = commit("text\r\n");
  settle(id, {reply(Stage::final_dot, "451 4.3.0 Later")});
  EXPECT_EQ(waits(id), 40s);
}

TEST_F(SettlementTest, OfAMessageThatIsGoneNothingIsSaid) {
  const MessageId id = commit("text\r\n");
  const queue::ShipmentId shipment_id = shipment(id).id;
  queue->take(shipment(id));
  const QueueDelivery delivery(*queue, workers, shipment(id), read(id),
                               {"office", 100, [this] { return loop.wall_now(); }});
  QueueFixture::settle(id, {RecipientState::delivered});
  send::Report report;
  report.recipients.push_back({0, reply(Stage::final_dot, "250 Ok")});
  settlement->settle(lane(), shipment_id, delivery, report);
  EXPECT_TRUE(told.empty());
}

TEST_F(SettlementTest, WhatAServerSaysAsItLeavesIsLearnt) {
  const MessageId id = commit("text\r\n");
  const queue::ShipmentId shipment_id = shipment(id).id;
  queue->take(shipment(id));
  const QueueDelivery delivery(*queue, workers, shipment(id), read(id),
                               {"office", 100, [this] { return loop.wall_now(); }});
  send::Report report;
  report.carried = {24, 30};
  report.recipients.push_back({0, reply(Stage::final_dot, "250 Ok")});
  report.farewell = reply(Stage::mail, "421 Too many messages in this session");
  settlement->settle(lane(), shipment_id, delivery, report);
  EXPECT_EQ(lane().site.learnt.at_most(smtp::Cap::messages_per_connection, 100, loop.now()), 25U);
}

}  // namespace
}  // namespace relayd
