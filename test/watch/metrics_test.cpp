// The metrics of how a relay stands.
#include "watch/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

constexpr WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;

TEST(StandingMetrics, ShowQueueClientsAndConfiguration) {
  Status status;
  status.now = noon;
  status.uptime = 1h;
  status.totals = {.waiting = 14, .ready = 1, .held = 2, .failed = 3, .troubles = 4};
  status.oldest = {queue::MessageId{}, noon - 47min};
  status.clients = {5, 6};
  status.suppressed = {true, 7};
  status.configuration = {.loaded = noon, .errors = 2};
  const std::string text = metrics_text(status, {});
  for (const char* const line :
       {"relayd_queue_messages{state=\"waiting\"} 14\n", "relayd_queue_messages{state=\"held\"} 2\n",
        "relayd_queue_oldest_age_seconds 2820\n", "relayd_queue_troubles_total 4\n",
        "relayd_client_connections{state=\"local\"} 5\n", "relayd_client_connections{state=\"remote\"} 6\n",
        "relayd_suppressed_recipients 7\n", "relayd_configuration_errors 2\n",
        "relayd_start_time_seconds 1795172400\n"})
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
}

TEST(StandingMetrics, ShowEachLaneInOneState) {
  Status status;
  LaneStatus lane;
  lane.upstream = "office";
  lane.account = "relay";
  lane.state = LaneStatus::State::paused;
  lane.busy = 2;
  lane.allowed = 10;
  lane.quotas = {{.limit = 100, .left = 40}, {.limit = 50, .left = 7}};
  status.lanes = {lane};
  const std::string text = metrics_text(status, {});
  const std::string way = "{upstream=\"office\",account=\"relay\"";
  EXPECT_THAT(text, HasSubstr("relayd_lane_state" + way + ",state=\"paused\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_state" + way + ",state=\"open\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_connections" + way + ",state=\"busy\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_connections_allowed" + way + "} 10\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_quota_left" + way + "} 7\n"));
}

// Two hundred thousand accounts do not fill the memory of whoever reads it.
TEST(StandingMetrics, AreBounded) {
  Status status;
  for (int i = 0; i < 20'000; ++i) {
    LaneStatus& lane = status.lanes.emplace_back();
    lane.upstream = "office";
    lane.account = std::to_string(i);
    lane.state = i < 10 ? LaneStatus::State::open : LaneStatus::State::paused;
    lane.waiting = 1;
  }
  const std::string text = metrics_text(status, {});
  EXPECT_LT(std::ranges::count(text, '\n'), 16'000);
  EXPECT_THAT(text,
              HasSubstr("relayd_lane_state{upstream=\"other\",account=\"other\",state=\"paused\"} 19000\n"));
  EXPECT_THAT(text, HasSubstr("relayd_lane_messages_waiting{upstream=\"other\",account=\"other\"} 18000\n"));
}

}  // namespace
}  // namespace relayd::watch
