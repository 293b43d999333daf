// Lifetime: when a message is given up, whatever becomes of the wall clock.
#include "relay/lifetime.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;

class LifetimeTest : public test::DispatcherFixture {
 protected:
  void SetUp() override {
    DispatcherFixture::SetUp();
    config->queue.lifetime = 1h;
    setup = make_setup();
    lifetime.emplace(loop, *queue, setup);
  }
  bool is_over(MessageId id) { return lifetime->is_over(message(id)); }
  Duration left(MessageId id) { return lifetime->end_of(message(id)) - loop.now(); }

  relayd::Setup setup;
  std::optional<Lifetime> lifetime;
};

TEST_F(LifetimeTest, CountsFromWhenTheMessageWasAccepted) {
  const MessageId id = commit("text\r\n");
  EXPECT_EQ(left(id), 1h);
  loop.advance(50min);
  EXPECT_FALSE(is_over(id));
  EXPECT_EQ(left(id), 10min);
  loop.advance(10min);
  EXPECT_TRUE(is_over(id));
  EXPECT_EQ(left(id), 0s);
  loop.advance(10min);
  EXPECT_EQ(left(id), 0s);
}

TEST_F(LifetimeTest, NoWaitIsLonger) {
  const MessageId id = commit("text\r\n");
  loop.advance(50min);
  EXPECT_EQ(lifetime->at_most(message(id), 5min), 5min);
  EXPECT_EQ(lifetime->at_most(message(id), 30min), 10min);
}

TEST_F(LifetimeTest, IsWhatTheConfigurationSaysAtTheMoment) {
  const MessageId id = commit("text\r\n");
  loop.advance(50min);
  config->queue.lifetime = 30min;
  EXPECT_TRUE(is_over(id));
}

TEST_F(LifetimeTest, BeginsAnewWhereTheClockHadNotBeenSet) {
  const WallTime right = loop.wall_now();
  loop.set_wall(WallTime(10s));
  const MessageId id = commit("text\r\n");
  EXPECT_FALSE(is_over(id));
  EXPECT_EQ(message(id).lives_from, WallTime(10s));  // nothing is known to be wrong
  loop.set_wall(right);
  EXPECT_EQ(left(id), 1h);
  EXPECT_FALSE(is_over(id));
  EXPECT_EQ(message(id).lives_from, right);
}

TEST_F(LifetimeTest, KnowsAClockThatWasSetFromOneThatDrifts) {
  EXPECT_FALSE(lifetime->clock_was_set());
  loop.advance(1h);
  EXPECT_FALSE(lifetime->clock_was_set());
  loop.set_wall(loop.wall_now() + 30s);
  EXPECT_FALSE(lifetime->clock_was_set());
  for (const auto step : {std::chrono::seconds(1h), std::chrono::seconds(-1h)}) {
    loop.set_wall(loop.wall_now() + step);
    EXPECT_TRUE(lifetime->clock_was_set());
    EXPECT_FALSE(lifetime->clock_was_set());
  }
}

}  // namespace
}  // namespace relayd
