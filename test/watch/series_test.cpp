// The series of the last hour and day.
#include "watch/series.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;

// A series with its clocks, and what was counted for it.
class SeriesTest : public testing::Test {
 protected:
  SeriesTest() { series.begin(now, counted); }

  void pass(Duration time) {
    now += time;
    wall += std::chrono::duration_cast<WallTime::duration>(time);
  }
  void tick(Duration after = Series::short_step) {
    pass(after);
    series.tick(now, counted, waiting);
  }
  void deliver(std::uint64_t messages, double seconds) {
    counted.delivered += messages;
    counted.queue_seconds += static_cast<double>(messages) * seconds;
  }
  json shown() const { return json::parse(series.to_json(now, wall)); }
  json hour(const char* name) const { return shown()["hour"][name]; }
  json day(const char* name) const { return shown()["day"][name]; }

  SteadyTime now{1000h};
  WallTime wall = noon;
  tell::Sums counted{.accepted = 100, .delivered = 90, .deferred = 9, .failed = 8, .queue_seconds = 70};
  std::size_t waiting = 0;
  Series series;
};

TEST_F(SeriesTest, BeginsWithNothing) {
  tick(14s);
  EXPECT_EQ(shown(), json::parse(R"({
      "hour": {"step": 15, "end": "2026-11-20T12:00:00Z", "accepted": [], "delivered": [], "deferred": [],
               "failed": [], "waiting": [], "seconds": []},
      "day": {"step": 300, "end": "2026-11-20T12:00:00Z", "accepted": [], "delivered": [], "deferred": [],
              "failed": [], "waiting": [], "seconds": []}})"));
  EXPECT_EQ(series.newest(), "");
  EXPECT_EQ(series.count(), 0U);
}

TEST_F(SeriesTest, APointIsWhatWasAddedSinceTheOneBefore) {
  counted.accepted += 5;
  counted.deferred += 2;
  counted.failed += 1;
  deliver(4, 0.25);
  waiting = 7;
  tick();
  counted.accepted += 1;
  waiting = 3;
  tick();
  const json hour = shown()["hour"];
  EXPECT_EQ(hour["end"], "2026-11-20T12:00:30Z");
  EXPECT_EQ(hour["accepted"], json({5, 1}));
  EXPECT_EQ(hour["delivered"], json({4, 0}));
  EXPECT_EQ(hour["deferred"], json({2, 0}));
  EXPECT_EQ(hour["failed"], json({1, 0}));
  EXPECT_EQ(hour["waiting"], json({7, 3}));
  EXPECT_EQ(hour["seconds"], json({0.25, nullptr}));
  EXPECT_EQ(json::parse(series.newest()), json({{"accepted", 1},
                                                {"delivered", 0},
                                                {"deferred", 0},
                                                {"failed", 0},
                                                {"waiting", 3},
                                                {"seconds", nullptr}}));
  EXPECT_EQ(series.count(), 2U);
}

TEST_F(SeriesTest, ATickThatIsEarlyEndsNoStep) {
  counted.accepted += 1;
  tick(10s);
  EXPECT_EQ(series.count(), 0U);
  counted.accepted += 2;
  tick(5s);
  EXPECT_EQ(hour("accepted"), json({3}));
}

TEST_F(SeriesTest, ATickThatIsLateMovesNoStep) {
  tick(17s);
  EXPECT_EQ(series.next() - now, 13s);
  EXPECT_EQ(hour("end").get<std::string>(), "2026-11-20T12:00:15Z");
  tick(13s);
  EXPECT_EQ(series.count(), 2U);
}

TEST_F(SeriesTest, TwentyStepsAreOneOfTheDay) {
  for (int i = 0; i < 41; ++i) {
    counted.accepted += 2;
    if (i < 20) deliver(1, i < 10 ? 1 : 4);
    waiting = static_cast<std::size_t>(i);
    tick();
  }
  EXPECT_EQ(day("accepted"), json({40, 40}));
  EXPECT_EQ(day("delivered"), json({20, 0}));
  EXPECT_EQ(day("waiting"), json({19, 39}));
  EXPECT_EQ(day("seconds"), json({2.5, nullptr}));  // of each message, not of each step
  EXPECT_EQ(day("end").get<std::string>(), "2026-11-20T12:10:00Z");
  EXPECT_EQ(hour("end").get<std::string>(), "2026-11-20T12:10:15Z");
}

TEST_F(SeriesTest, KeepsAnHourAndADay) {
  for (int i = 0; i < 25 * 240; ++i) {
    ++counted.accepted;
    waiting = static_cast<std::size_t>(i);
    tick();
  }
  EXPECT_EQ(hour("accepted").size(), 240U);
  EXPECT_EQ(hour("waiting").front(), 24 * 240);
  EXPECT_EQ(hour("waiting").back(), 25 * 240 - 1);
  EXPECT_EQ(day("accepted").size(), 288U);
  EXPECT_EQ(day("waiting").front(), 240 + 19);
  EXPECT_EQ(day("accepted").front(), 20);
  EXPECT_EQ(series.count(), 25U * 240);
  EXPECT_LT((Series::of_an_hour + Series::of_a_day) * sizeof(Series::Point), 64U * 1024);
}

TEST_F(SeriesTest, AfterAGapTheStepsBetweenAreThereWithNothing) {
  counted.accepted += 3;
  waiting = 9;
  tick(10min);
  EXPECT_EQ(series.count(), 40U);
  EXPECT_EQ(hour("accepted").size(), 40U);
  EXPECT_EQ(hour("accepted").front(), 3);
  EXPECT_EQ(hour("accepted").back(), 0);
  EXPECT_EQ(hour("waiting").back(), 9);
  EXPECT_EQ(day("accepted"), json({3, 0}));
  EXPECT_EQ(hour("end").get<std::string>(), "2026-11-20T12:10:00Z");
}

TEST_F(SeriesTest, AGapOfYearsCostsNoMoreThanADay) {
  tick(24h * 365 * 3 + 7s);
  EXPECT_EQ(series.count(), 288U * 20);
  EXPECT_EQ(hour("accepted").size(), 240U);
  EXPECT_EQ(day("accepted").size(), 288U);
  EXPECT_GT(series.next(), now);
  EXPECT_LE(series.next() - now, 15s);
  counted.accepted += 2;
  tick();
  EXPECT_EQ(hour("accepted").back(), 2);
}

TEST_F(SeriesTest, WhoeverSetsTheClockMovesTheTimesAndNoSteps) {
  ++counted.accepted;
  tick();
  wall += 48h;
  ++counted.accepted;
  tick();
  EXPECT_EQ(hour("accepted"), json({1, 1}));
  EXPECT_EQ(hour("end").get<std::string>(), "2026-11-22T12:00:30Z");
  wall -= 96h;
  tick();
  EXPECT_EQ(hour("accepted"), json({1, 1, 0}));
  EXPECT_EQ(hour("end").get<std::string>(), "2026-11-18T12:00:45Z");
}

// No steady clock does that; nothing is lost if one does.
TEST_F(SeriesTest, ASteadyClockThatGoesBackEndsNoStep) {
  tick();
  counted.accepted += 2;
  tick(-10min);
  EXPECT_EQ(series.count(), 1U);
  tick(10min + 15s);
  EXPECT_EQ(hour("accepted"), json({0, 2}));
}

}  // namespace
}  // namespace relayd::watch
