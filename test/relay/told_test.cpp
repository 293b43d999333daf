// What upstreams tell beside yes and no: how long to wait, that a connection has had its share, that what was
// taken will not be sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;
using testing::ElementsAre;

constexpr const char* text = "text\r\n";

class ToldTest : public test::DispatcherFixture {
 protected:
  void start_office() {
    add_upstream("office", {1});
    add_rule("*", {"office"});
    start();
  }
  // The office is this provider's from now on, whether there is a preset for it or not.
  void becomes(const std::string& provider) {
    change_lanes([&](LaneEntry& lane) { lane.provider = provider; });
  }
  Duration waits(MessageId id) { return shipment(id).due - loop.now(); }
};

TEST_F(ToldTest, AMessageIsTriedAgainWhenItIsTold) {
  start_office();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("S: 451 4.7.1 Try again in 92 seconds"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(waits(id), 92s);
}

// The latest time that was told: a recipient that comes too early is refused again.
TEST_F(ToldTest, ARecipientIsTriedAgainWhenItIsTold) {
  start_office();
  expect(
      1,
      greeting() + envelope({"b@example.org", "c@example.org", "d@example.org"}) +
          "S: 450 4.2.0 Greylisted, retry after 5 minutes\n S: 450 4.2.0 Greylisted, retry after 2 minutes\n"
          "S: 250 Ok\n" +
          content());
  const MessageId id = commit(text, {"b@example.org", "c@example.org", "d@example.org"});
  run_until_attempts(3);
  EXPECT_EQ(waits(id), 5min);
}

TEST_F(ToldTest, ALanePausesForAsLongAsItIsTold) {
  start_office();
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 550 Too many messages. Try again in 92 seconds.\n S: 503 No\n S: 503 No\n");
  const MessageId first = commit(text);
  run_until_attempts(1);
  const MessageId second = commit(text);
  settle_down();
  EXPECT_EQ(shipment(second).attempts, 0U);
  advance(91s);
  EXPECT_EQ(dials(), 1U);
  advance(1s);
  EXPECT_EQ(dials(), 2U);
  EXPECT_FALSE(queue->find(first) == nullptr);
}

TEST_F(ToldTest, WhatASessionHasNoRoomForFollowsAtOnce) {
  start_office();
  expect(1, greeting() + envelope({"b@example.org", "c@example.org"}) +
                "S: 250 Ok\n S: 421 Too many recipients in this session\n");
  commit(text, {"b@example.org", "c@example.org"});
  run_until_attempts(2);
  expect(1, greeting() + envelope({"b@example.org", "c@example.org"}) +
                "S: 250 Ok\n S: 450 4.7.1 Too many recipients in this session\n" + content());
  expect(1, greeting() + envelope({"c@example.org"}) + "S: 250 Ok\n" + content());
  advance(60s);  // nobody was served: it has to wait like any other
  const SteadyTime start = loop.now();
  run_until_attempts(5);
  EXPECT_EQ(loop.now(), start);
  EXPECT_EQ(complaints(), "");
}

// A connection that is full is no trouble of the lane's, and is left.
TEST_F(ToldTest, AFullConnectionPausesNobody) {
  start_office();
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 451 Too many messages in this session\n S: 503 No\n S: 503 No\n");
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 250 Ok\n S: 250 Ok\n" +
                content());
  const MessageId first = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(waits(first), 60s);
  const MessageId second = commit(text);
  run_until_attempts(2);
  EXPECT_EQ(queue->find(second), nullptr);
  EXPECT_EQ(complaints(), "");
}

TEST_F(ToldTest, WhatWillNotBeSentFailsAndGoesNowhereElse) {
  add_upstream("office", {1});
  add_upstream("backup", {2});
  add_rule("*", {"office", "backup"});
  start();
  expect(1, greeting() + taken() + envelope() + "S: 250 Ok\n" + content("S: 254 4.7.1 Suppression"));
  commit(text);
  run_until_attempts(1);
  becomes("oci");
  const MessageId id = commit(text);
  run_until_attempts(2);
  EXPECT_EQ(message(id).state, MessageState::failed);
  const auto history = run_task(queue->history(message(id)), &loop);
  EXPECT_EQ(history.back().outcome.recipients.at(0).text, "taken, and will not be sent: 4.7.1 Suppression");
  EXPECT_THAT(dialer.ports, ElementsAre(1));
  EXPECT_EQ(complaints(), "");
}

}  // namespace
}  // namespace relayd
