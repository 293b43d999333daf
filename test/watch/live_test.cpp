#include "watch/live.hpp"

#include <gtest/gtest.h>

#include <random>

namespace relayd::watch {
namespace {

using nlohmann::json;
using State = LaneStatus::State;

Status status_with(std::vector<std::pair<std::string, State>> lanes) {
  Status status;
  status.now = WallTime(std::chrono::hours(500'000));
  for (auto& [account, state] : lanes) {
    LaneStatus& lane = status.lanes.emplace_back();
    lane.upstream = "up";
    lane.account = account;
    lane.state = state;
  }
  return status;
}

TEST(Live, TheDocumentHasLanesByName) {
  const json document = live_document(status_with({{"a", State::idle}, {"b", State::stopped}}));
  EXPECT_EQ(document["lanes"]["up a"]["state"], "idle");
  EXPECT_EQ(document["lanes"]["up b"]["state"], "stopped");
  EXPECT_EQ(document["lanes_total"], 2);
  EXPECT_FALSE(document["status"].contains("lanes"));
  EXPECT_EQ(document["status"]["queue"]["waiting"], 0);
}

TEST(Live, OfManyLanesThoseInTroubleAreFollowed) {
  Status status = status_with({});
  for (std::size_t i = 0; i < 2 * most_lanes_followed; ++i)
    status.lanes.emplace_back().account = std::to_string(i);
  status.lanes.emplace_back().account = "bad";
  status.lanes.back().state = State::paused;
  const json document = live_document(status);
  EXPECT_EQ(document["lanes"].size(), most_lanes_followed);
  EXPECT_EQ(document["lanes_total"], 2 * most_lanes_followed + 1);
  EXPECT_TRUE(document["lanes"].contains(" bad"));
}

TEST(Live, ThatTimePassesIsNoChange) {
  const Status before = status_with({{"a", State::paused}});
  Status after = before;
  after.now += std::chrono::seconds(5);
  after.uptime += std::chrono::seconds(5);
  EXPECT_TRUE(changes_between(live_document(before), live_document(after)).is_null());
  after.totals.waiting = 3;
  const json expected = {{"status", {{"queue", {{"waiting", 3}}}}}};
  EXPECT_EQ(changes_between(live_document(before), live_document(after)), expected);
}

TEST(Live, ALaneThatGoesIsNull) {
  const json before = live_document(status_with({{"a", State::idle}, {"b", State::idle}}));
  const json after = live_document(status_with({{"b", State::idle}}));
  EXPECT_EQ(changes_between(before, after)["lanes"], json({{"up a", nullptr}}));
}

json some_value(std::mt19937& random, int depth) {
  const auto kind = random() % (depth > 0 ? 4 : 2);
  if (kind == 0) return random() % 3;
  if (kind == 1) return std::string(random() % 3, 'x');
  json value = kind == 2 ? json::array() : json::object();
  for (auto i = random() % 4; i > 0; --i) {
    if (kind == 2)
      value.push_back(some_value(random, depth - 1));
    else
      value[std::string(1, static_cast<char>('a' + random() % 4))] = some_value(random, depth - 1);
  }
  return value;
}

// What a page makes of the patch is the document.
TEST(Live, TheChangeAppliedGivesTheDocument) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    json before = json::object(), after = json::object();
    for (const char* key : {"a", "b", "c"}) {
      if (random() % 4) before[key] = some_value(random, 3);
      if (random() % 4)
        after[key] = random() % 2 && before.contains(key) ? before[key] : some_value(random, 3);
    }
    const json change = changes_between(before, after);
    json applied = before;
    if (!change.is_null()) applied.merge_patch(change);
    EXPECT_EQ(applied, after) << before << after << change;
    EXPECT_EQ(change.is_null(), before == after);
  }
}

TEST(Live, LanesAreFilteredAndBounded) {
  const Status status =
      status_with({{"c", State::idle}, {"a", State::paused}, {"b", State::open}, {"d", State::slowed}});
  const auto lanes = [&status](LaneFilter filter) {
    const json object = json::parse(lanes_line(status, filter));
    std::string names;
    for (const json& lane : object["lanes"]) names += lane["account"].get<std::string>();
    return names + " of " + object["total"].dump();
  };
  EXPECT_EQ(lanes({}), "adbc of 4");
  EXPECT_EQ(lanes({.limit = 2}), "ad of 4");
  EXPECT_EQ(lanes({.trouble = true}), "a of 1");
  EXPECT_EQ(lanes({.account = "b"}), "b of 1");
  EXPECT_EQ(lanes({.upstream = "other"}), " of 0");
}

}  // namespace
}  // namespace relayd::watch
