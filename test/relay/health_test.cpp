// Health: what a lane and its site do about an answer, and for how long.
#include "relay/health.hpp"

#include <gtest/gtest.h>

#include "relay/lanes_world.hpp"
#include "settle/decision.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using send::Event;
using smtp::Stage;

const Event refused{Stage::connect, smtp::Trouble::unreachable, "connection refused"};
const Event cut{Stage::data, smtp::Trouble::broken, "closed"};

class HealthTest : public test::LanesWorld {
 protected:
  void SetUp() override {
    LanesWorld::SetUp();
    add_upstream("office", {1, 2});
    add_rule("*", {"office"});
    open();
  }
  static Event reply(Stage stage, const std::string& line) {
    smtp::ReplyParser parser;
    parser.feed(line + "\r\n");
    return {stage, parser.take()};
  }
  void stop(const Event& event) {
    const settle::Verdict verdict = settle::judge(event, "");
    health.stop(lane(), {event, verdict, {}});
  }
  void end(const Event& event) {
    const settle::Verdict verdict = settle::judge(event, "");
    health.ended(lane(), {event, verdict, {}});
  }
  bool take_next_port(const Event& event, std::uint16_t port) {
    const settle::Verdict verdict = settle::judge(event, "");
    send::Report report;
    report.port = port;
    return health.takes_next_port(lane(), {event, verdict, report});
  }
};

TEST_F(HealthTest, AWrongPasswordPausesTheAccountForAMinute) {
  stop(reply(Stage::auth, "535 5.7.8 No"));
  EXPECT_TRUE(lane().paused());
  EXPECT_EQ(pause_of(lane()), 60s);
  EXPECT_FALSE(lane().site.in_trouble());
  EXPECT_EQ(lane().pause_reason.text, "5.7.8 No");
}

TEST_F(HealthTest, AHostThatIsAwayPausesTheUpstreamEverLonger) {
  for (const Duration wait : {5s, 10s, 20s, 40s, 60s, 60s}) {
    stop(refused);
    EXPECT_TRUE(lane().site.in_trouble());
    EXPECT_EQ(pause_of(lane()), wait);
    loop.advance(wait);
  }
}

TEST_F(HealthTest, WhatAReplyTellsIsThePause) {
  stop(reply(Stage::mail, "450 4.7.1 Rate limit, try again in 92 seconds"));
  EXPECT_EQ(pause_of(lane()), 92s);
  EXPECT_TRUE(lane().pace().slowed(loop.now()));
}

TEST_F(HealthTest, AQuotaThatIsUsedUpIsAskedForOnceAnHour) {
  stop(reply(Stage::mail, "454 Daily message quota exceeded"));
  EXPECT_EQ(pause_of(lane()), 1h);
}

TEST_F(HealthTest, APausedLaneIsPausedOnce) {
  stop(reply(Stage::auth, "535 5.7.8 No"));
  loop.advance(10s);
  stop(reply(Stage::auth, "535 5.7.8 No"));
  EXPECT_EQ(pause_of(lane()), 50s);
  EXPECT_EQ(lane().breaker().troubles(), 1U);
}

// One is no news.
TEST_F(HealthTest, ThreeConnectionsThatEndInARowAreTrouble) {
  end(cut);
  end(cut);
  EXPECT_FALSE(lane().paused());
  end(cut);
  EXPECT_TRUE(lane().site.in_trouble());
}

TEST_F(HealthTest, OneThatWorksEndsTheRow) {
  end(cut);
  end(cut);
  health.works(lane());
  end(cut);
  EXPECT_FALSE(lane().paused());
}

TEST_F(HealthTest, WhatWorksIsResumed) {
  stop(reply(Stage::auth, "535 5.7.8 No"));
  stop(refused);
  health.works(lane());
  EXPECT_FALSE(lane().in_trouble());
  EXPECT_FALSE(lane().paused());
}

TEST_F(HealthTest, AKnockThatIsLetInEndsTheTroubleAndOneThatIsNotGoesOn) {
  stop(refused);
  loop.advance(5s);
  send::Report report;
  report.port = 1;
  health.knocked(lane(), report, refused);
  EXPECT_EQ(lane().site.ports[lane().site.endpoint], 2);  // at the next port
  EXPECT_EQ(lane().last_reply, "connection refused");
  health.knocked(lane(), report, std::nullopt);
  EXPECT_FALSE(lane().in_trouble());
}

TEST_F(HealthTest, APortIsLeftOnceHoweverManyFailThere) {
  EXPECT_TRUE(take_next_port(refused, 1));
  EXPECT_TRUE(take_next_port(refused, 1));
  EXPECT_EQ(lane().site.endpoint, 1U);
  EXPECT_FALSE(take_next_port(reply(Stage::greeting, "421 No"), 2));
  EXPECT_EQ(lane().site.endpoint, 1U);
  EXPECT_FALSE(take_next_port(refused, 2));
  EXPECT_EQ(lane().site.endpoint, 0U);  // begins again
}

TEST_F(HealthTest, ACapThatWasMetIsTheSites) {
  health.learn(lane(), {smtp::Cap::messages_per_connection, 25, false}, cut);
  EXPECT_EQ(lane().site.learnt.at_most(smtp::Cap::messages_per_connection, 100, loop.now()), 25U);
}

TEST_F(HealthTest, ANamedNumberOfConnectionsThatIsBeliedIsNotBelieved) {
  lane().site.used = 5;
  stop(reply(Stage::greeting, "421 Too many connections (max 3)"));
  EXPECT_EQ(lane().site.most_connections(), 100U);
  stop(reply(Stage::greeting, "421 Too many connections (max 4)"));
  EXPECT_EQ(lane().site.most_connections(), 4U);
  lane().site.used = 0;
}

}  // namespace
}  // namespace relayd
