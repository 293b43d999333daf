// What becomes of a message that an upstream may already have taken: whom the doubt is about, who may go on
// without them, and when it is left to the operator.
#include "relay/doubt.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;
using queue::RecipientState;
using testing::ElementsAre;

constexpr const char* text = "text\r\n";
constexpr RecipientState pending = RecipientState::pending, delivered = RecipientState::delivered,
                         doubtful = RecipientState::doubtful;

class DoubtTest : public test::DispatcherFixture {
 protected:
  void SetUp() override {
    DispatcherFixture::SetUp();
    config->queue.retry.first = config->queue.retry.maximum = 60s;
    add_upstream("office", {1});
    add_upstream("backup", {2});
    add_rule("*", {"office", "backup"});
  }

  // Office takes b and not c, hears all of it, and is gone.
  MessageId lose_the_reply_for_b() {
    start();
    expect(1, greeting() + envelope({"b@example.org", "c@example.org"}) + "S: 250 Ok\n S: 450 4.2.1 Later\n" +
                  content("CLOSE"));
    const MessageId id = commit(text, {"b@example.org", "c@example.org"});
    run_until_attempts(2);
    return id;
  }
  // And 20 seconds later office pauses for a minute, because of another message.
  void pause_office() {
    advance(20s);
    expect(2, greeting() + taken());
    commit(text);
    loop.run_until([this] { return attempts.size() >= 4; });
    settle_down();
    attempts.clear();
  }
  bool gone(MessageId id) { return queue->find(id) == nullptr; }
};

TEST_F(DoubtTest, IsAboutThoseOnlyWhomTheServerTook) {
  const MessageId id = lose_the_reply_for_b();
  EXPECT_THAT(look(id).states, ElementsAre(doubtful, pending));
  std::vector<std::string> shipments;
  message(id).for_each_shipment([&](const queue::Shipment& each) {
    shipments.push_back(fmt::format("{} {} {} {}", each.unsent, each.doubted, each.attempts,
                                    std::chrono::round<std::chrono::seconds>(each.due - loop.now()).count()));
  });
  EXPECT_THAT(shipments, testing::UnorderedElementsAre("1 office 1 60", "1  1 60"));
}

TEST_F(DoubtTest, TheOthersGoByThemselves) {
  const MessageId id = lose_the_reply_for_b();
  expect(1, greeting() + envelope({"b@example.org"}) + "S: 250 Ok\n" + content() +
                envelope({"c@example.org"}) + "S: 250 Ok\n" + content());
  advance(60s);
  run_until_attempts(4);
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(complaints(), "");
}

TEST_F(DoubtTest, TheOthersGoElsewhereWithoutThem) {
  const MessageId id = lose_the_reply_for_b();
  pause_office();
  expect(2, greeting() + envelope({"c@example.org"}) + "S: 250 Ok\n" + content());
  advance(40s);
  run_until_attempts(1);
  EXPECT_EQ(attempts.back(), "backup c@example.org 250 Ok");
  EXPECT_THAT(look(id).states, ElementsAre(doubtful, delivered));
  for (int i = 0; i < 3; ++i)  // a knock or two come first
    expect(1, greeting() + envelope({"b@example.org"}) + "S: 250 Ok\n" + content());
  for (int second = 0; second < 3600 && !gone(id); ++second) advance(1s);
  EXPECT_EQ(attempts.back(), "office b@example.org 250 Ok");
  EXPECT_TRUE(gone(id));
}

TEST_F(DoubtTest, AtTwoUpstreamsEachWaitsForItsOwn) {
  const MessageId id = lose_the_reply_for_b();
  pause_office();
  expect(2, greeting() + envelope({"c@example.org"}) + "S: 250 Ok\n" + content("CLOSE"));
  advance(40s);
  run_until_attempts(1);
  EXPECT_THAT(look(id).states, ElementsAre(doubtful, doubtful));
  std::vector<std::string> upstreams;
  message(id).for_each_shipment([&](const queue::Shipment& each) { upstreams.emplace_back(each.doubted); });
  EXPECT_THAT(upstreams, testing::UnorderedElementsAre("office", "backup"));
  EXPECT_EQ(message(id).state, MessageState::waiting);
}

TEST_F(DoubtTest, NoReplyThreeTimesIsLeftToTheOperator) {
  start();
  MessageId id;
  for (std::size_t i = 1; i <= 3; ++i) {
    expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
    if (i == 1)
      id = commit(text);
    else
      advance(60s);
    run_until_attempts(i);
    EXPECT_EQ(shipment(id).doubts, i);
    EXPECT_EQ(message(id).state, i < 3 ? MessageState::waiting : MessageState::held);
  }
  EXPECT_THAT(dialer.ports, ElementsAre(1, 1, 1));
}

TEST_F(DoubtTest, WhatWasHeldIsTriedOnceMoreByRetry) {
  start();
  MessageId id;
  for (std::size_t i = 1; i <= 3; ++i) {
    expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
    if (i == 1)
      id = commit(text);
    else
      advance(60s);
    run_until_attempts(i);
  }
  dispatcher->clear_way(message(id));
  queue->retry(message(id));  // office refuses the connection: nothing new that could be in doubt
  run_until_attempts(4);
  EXPECT_EQ(message(id).state, MessageState::waiting);
}

TEST_F(DoubtTest, WhatIsKnownNotToBeTakenMayGoAnywhere) {
  start();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  expect(2, greeting() + taken());
  queue->not_taken(message(id));
  run_until_attempts(3);  // office refuses the connection
  EXPECT_EQ(attempts.back(), "backup b@example.org 250 Ok");
  EXPECT_TRUE(gone(id));
}

TEST_F(DoubtTest, ARefusalForNowEndsNoDoubt) {
  start();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("S: 451 4.3.0 Later"));
  advance(60s);
  run_until_attempts(2);
  EXPECT_THAT(look(id).states, ElementsAre(doubtful));  // office may still have its copy
  EXPECT_EQ(shipment(id).doubted, "office");
}

TEST_F(DoubtTest, WhereTheRouteLeadsThereNoMoreItGoesOn) {
  start();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  config = std::make_shared<config::Config>(*config);
  config->senders.front().upstreams = {{.name = "backup"}};
  reload();
  expect(2, greeting() + taken());
  advance(60s);
  run_until_attempts(2);
  EXPECT_TRUE(gone(id));
}

}  // namespace
}  // namespace relayd
