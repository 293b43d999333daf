// What the operator does to lanes.
#include "relay/lane_commands.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/lanes_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class LaneCommandsTest : public test::LanesWorld {
 protected:
  void SetUp() override {
    LanesWorld::SetUp();
    add_upstream("office", {1}).host = "127.0.0.1";
    add_upstream("backup", {2});
    for (const char* name : {"bob", "ann"}) {
      config::RuleUpstream& step = add_rule(std::string(name) + "@example.org", {"office"}).upstreams[0];
      step.username = name;
      step.password.kind = config::SecretSource::Kind::literal;
      step.password.literal = Secret("secret");
    }
    add_rule("*", {"backup"});
    open();
  }
  std::vector<std::string> stop(const std::string& upstream, const std::string& account = "") {
    return steer(*lanes, log, upstream, account, true, loop.wall_now());
  }
  std::vector<std::string> go_on(const std::string& upstream, const std::string& account = "") {
    return steer(*lanes, log, upstream, account, false, loop.wall_now());
  }
};

TEST_F(LaneCommandsTest, StopsAllAccountsOfAnUpstreamAndNoOther) {
  EXPECT_THAT(stop("office"), ElementsAre("ann", "bob"));
  EXPECT_TRUE(lane("ann@example.org").stopped());
  EXPECT_TRUE(lane("bob@example.org").stopped());
  EXPECT_FALSE(lane("a@example.org").stopped());
  EXPECT_THAT(go_on("office"), ElementsAre("ann", "bob"));
  EXPECT_FALSE(lane("ann@example.org").stopped());
}

TEST_F(LaneCommandsTest, StopsTheOneAccountThatIsNamed) {
  EXPECT_THAT(stop("office", "bob"), ElementsAre("bob"));
  EXPECT_FALSE(lane("ann@example.org").stopped());
  EXPECT_TRUE(lane("bob@example.org").stopped());
}

TEST_F(LaneCommandsTest, WhereNoRuleLeadsNothingIsDone) {
  EXPECT_THAT(stop("nowhere"), IsEmpty());
  EXPECT_THAT(stop("office", "eve"), IsEmpty());
}

TEST_F(LaneCommandsTest, LettingGoOnEndsAPauseOfTheLaneAndItsUpstream) {
  LaneEntry& ann = lane("ann@example.org");
  ann.pause(loop.now() + 1h);
  ann.site.pause(loop.now() + 1h, send::Probe::message);
  stop("office", "ann");
  EXPECT_TRUE(ann.paused());
  go_on("office", "ann");
  EXPECT_FALSE(ann.paused());
  EXPECT_TRUE(ann.in_trouble());  // that shows when it is tried
}

TEST_F(LaneCommandsTest, AMessageThatIsToBeTriedFindsItsWayClear) {
  LaneEntry& backup = lane("a@example.org");
  LaneEntry& ann = lane("ann@example.org");
  backup.pause(loop.now() + 1h);
  ann.pause(loop.now() + 1h);
  clear_way(*lanes, lanes->router().route("a@example.org").choices, "a@example.org");
  EXPECT_FALSE(backup.paused());
  EXPECT_TRUE(ann.paused());  // not on its way
}

}  // namespace
}  // namespace relayd
