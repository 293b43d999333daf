// Pace: an even spacing, and what is learnt from an upstream that finds it too fast.
#include "send/pace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Rate;

const Rate a_second{14, 1s};
const Rate a_minute{30, 1min};
const Rate messages_a_minute{30, 1min, Counted::messages};
const Rate messages_an_hour{100, 1h, Counted::messages};

// Sends as fast as the pace allows, through a timer that rings `late`; how many recipients until the end.
int sent_within(Pace& pace, SteadyTime from, Duration span, Duration late = {},
                std::uint32_t recipients = 1) {
  int count = 0;
  for (SteadyTime now = from; now < from + span; now = std::max(now, pace.ready_at(now) + late)) {
    pace.take(recipients, now);
    count += static_cast<int>(recipients);
  }
  return count;
}

const SteadyTime start{1000h};

TEST(Pace, FourteenASecondAreExactlyThatOverAMinute) {
  Pace pace({a_second});
  EXPECT_NEAR(sent_within(pace, start, 60s), 840, 1);
}

TEST(Pace, ThirtyAMinuteAreExactlyThat) {
  Pace pace({a_minute});
  EXPECT_EQ(sent_within(pace, start, 60s), 30);
  EXPECT_EQ(sent_within(pace, start + 60s, 60s), 30);
}

TEST(Pace, ATimerThatRingsLateCostsNothing) {
  Pace pace({a_second});
  EXPECT_NEAR(sent_within(pace, start, 60s, 5ms), 840, 2);
}

TEST(Pace, RecipientsCountNotMessages) {
  Pace pace({a_second});
  EXPECT_NEAR(sent_within(pace, start, 60s, {}, 7), 840, 7);
}

TEST(Pace, IdleTimeIsNotSavedUp) {
  Pace pace({a_minute});
  pace.take(1, start);
  EXPECT_EQ(sent_within(pace, start + 10min, 60s), 30);
}

TEST(Pace, WithoutALimitNothingWaits) {
  Pace pace;
  pace.take(1000, start);
  EXPECT_EQ(pace.ready_at(start), start);
  EXPECT_FALSE(pace.slowed(start));
}

TEST(Pace, WhatMayGoNowIsBoundByTheTightestRate) {
  EXPECT_FALSE(Pace().left(start));
  Pace even({a_second});
  EXPECT_EQ(even.left(start), 1U);
  even.take(1, start);
  EXPECT_EQ(even.left(start), 0U);
  Pace pace({{10, 1s, Counted::messages}, {3, 1h, Counted::messages}});
  pace.take(1, start);
  EXPECT_EQ(pace.left(start), 0U);
  EXPECT_EQ(pace.left(start + 1s), 2U);
}

TEST(Pace, TooFastHalvesAConfiguredRate) {
  Pace pace({{10, 1s}});
  pace.take(1, start);
  pace.slow_down(start);
  EXPECT_EQ(pace.spacing(Counted::recipients, start), 2s);  // all that was seen is one in a second
  for (int i = 0; i < 100; ++i) pace.take(1, start + i * 100ms);
  Pace steady({{10, 1s}});
  for (int i = 0; i < 100; ++i) steady.take(1, start + i * 100ms);
  steady.slow_down(start + 10s);
  EXPECT_GE(steady.spacing(Counted::recipients, start + 10s), 200ms);
  EXPECT_LE(steady.spacing(Counted::recipients, start + 10s), 350ms);
  EXPECT_TRUE(steady.slowed(start + 10s));
}

TEST(Pace, TooFastHalvesWhatWasSentWithoutALimit) {
  Pace pace;
  for (int i = 0; i < 1000; ++i) pace.take(1, start + i * 10ms);  // a hundred a second
  const SteadyTime now = start + 10s;
  pace.slow_down(now);
  EXPECT_GE(pace.spacing(Counted::recipients, now), 20ms);
  EXPECT_LE(pace.spacing(Counted::recipients, now), 40ms);
}

TEST(Pace, ASlowedPaceDoublesEachMinuteAndIsForgotten) {
  Pace pace({a_second});
  for (int i = 0; i < 140; ++i) pace.take(1, start + i * 71ms);
  const SteadyTime now = start + 10s;
  pace.slow_down(now);
  const Duration slow = pace.spacing(Counted::recipients, now);
  EXPECT_NEAR(static_cast<double>(pace.spacing(Counted::recipients, now + 60s).count()),
              static_cast<double>(slow.count()) / 2, 1e6);
  EXPECT_EQ(pace.spacing(Counted::recipients, now + 10min), Duration(1s) / 14);
  EXPECT_FALSE(pace.slowed(now + 10min));
}

TEST(Pace, NeverSlowerThanAMinuteForEach) {
  Pace pace;
  for (int i = 0; i < 50; ++i) pace.slow_down(start);
  EXPECT_EQ(pace.spacing(Counted::recipients, start), 60s);
}

// --- what went before a restart ---

TEST(Pace, WhatWentBeforeARestartCountsWithinItsTime) {
  Pace pace({a_minute});
  pace.recall(a_minute, {{start - 50s, 10}, {start - 10s, 15}}, start);
  EXPECT_EQ(sent_within(pace, start, 5s), 3);  // at the usual pace
  EXPECT_EQ(sent_within(pace, start + 6s, 3s), 2);
  EXPECT_GE(pace.ready_at(start + 9s), start + 10s);  // a minute after the first ten
  EXPECT_LE(pace.ready_at(start + 9s), start + 13s);
  EXPECT_EQ(sent_within(pace, start + 3min, 60s), 30);
}

TEST(Pace, WhatWentBeforeARestartFillsABound) {
  Pace pace({messages_a_minute, messages_an_hour});
  pace.recall(messages_an_hour, {{start - 30min, 95}}, start);
  EXPECT_EQ(sent_within(pace, start, 20min), 5);
  EXPECT_EQ(sent_within(pace, start + 33min, 4min), 95);
}

// The book knows to a 48th of the time when it went.
TEST(Pace, WhatWentBeforeARestartMayHaveGoneAtTheEndOfItsSlice) {
  for (Duration offset{}; offset < 80s; offset += 1s) {
    const SteadyTime now = start + offset;
    Pace pace({{1, 1h}});
    pace.recall({1, 1h}, {{now - 1h - 70s, 1}}, now);
    EXPECT_GT(pace.ready_at(now), now) << offset.count();
  }
}

// One at a time, between two crashes.
TEST(Pace, ACrashLoopStaysWithinTheRate) {
  const Rate rate{20, 1h};
  std::vector<Pace::Earlier> sent;
  for (SteadyTime now = start; now < start + 1h; now += 30s) {
    Pace pace({rate});
    pace.recall(rate, sent, now);
    if (pace.ready_at(now) > now) continue;
    pace.take(1, now);
    sent.push_back({now, 1});
  }
  EXPECT_EQ(sent.size(), 20U);
}

TEST(Pace, OtherRatesForgetNothingOfWhatWentBefore) {
  Pace pace({a_minute});
  pace.recall(a_minute, {{start - 1s, 30}}, start);
  pace.use({{40, 1min}});
  EXPECT_EQ(sent_within(pace, start, 30s), 10);
  EXPECT_EQ(sent_within(pace, start + 5min, 10min), 400);  // and then it is the pace alone
  pace.recall({40, 1min}, {{start + 16min, 40}}, start + 16min);
  pace.use({});
  EXPECT_EQ(pace.ready_at(start + 17min), start + 17min);
}

// --- a rate that the upstream has named ---

TEST(Pace, ANamedRateHoldsForADay) {
  Pace pace({a_second});
  EXPECT_TRUE(pace.learn({50, 1h}, start));
  EXPECT_EQ(pace.rates(), std::vector{a_second});
  EXPECT_LE(sent_within(pace, start, 1h), 51);
  EXPECT_FALSE(pace.learn({50, 1h}, start + 1h));  // known: its day begins again
  EXPECT_LE(sent_within(pace, start + 24h, 1h), 51);
  pace.take(1, start + 25h);
  EXPECT_TRUE(pace.learnt().empty());
  EXPECT_GT(sent_within(pace, start + 25h, 1min), 800);
}

TEST(Pace, ANamedRateOfAConfiguredTimeIsTheLower) {
  Pace pace({a_minute});
  EXPECT_FALSE(pace.learn({60, 1min}, start));
  EXPECT_FALSE(pace.learn({30, 1min}, start));
  EXPECT_TRUE(pace.learn({10, 1min}, start));
  EXPECT_EQ(pace.spacing(Counted::recipients, start), 6s);
  EXPECT_TRUE(pace.learn({10, 1h}, start));  // beside it
  EXPECT_EQ(pace.spacing(Counted::recipients, start), 6s);
  EXPECT_EQ(pace.learnt().size(), 2U);
  pace.use({a_second});
  EXPECT_EQ(pace.spacing(Counted::recipients, start), Duration(1s) / 14);
  EXPECT_EQ(pace.learnt().size(), 2U);
}

TEST(Pace, AnAbsurdRateIsNotBelieved) {
  Pace pace;
  EXPECT_FALSE(pace.learn({0, 1s}, start));
  EXPECT_FALSE(pace.learn({9, 1h}, start));
  for (int i = 0; i < 500; ++i) pace.take(1, start + i * 10ms);
  EXPECT_FALSE(pace.learn({10, 1min}, start + 5s));
  EXPECT_TRUE(pace.learn({10, 1s}, start + 5s));
  EXPECT_TRUE(pace.learn({100, 1min}, start + 5s));
}

// --- messages, and several rates ---

TEST(Pace, MessagesCountNotRecipients) {
  Pace pace({messages_a_minute});
  EXPECT_EQ(sent_within(pace, start, 60s, {}, 500), 30 * 500);
  EXPECT_EQ(pace.spacing(Counted::messages, start), 2s);
  EXPECT_EQ(pace.spacing(Counted::recipients, start), 0s);
}

TEST(Pace, RecipientsAndMessagesHaveAPaceOfTheirOwn) {
  Pace pace({a_second, messages_a_minute});
  pace.take(1, start);
  EXPECT_EQ(pace.ready_at(start), start + 2s);
  pace.take(140, start + 2s);
  EXPECT_EQ(pace.ready_at(start + 2s), start + 2s + 140 * (Duration(1s) / 14));
}

TEST(Pace, ALongerRateBoundsWhatTheShorterLetsThrough) {
  Pace pace({messages_an_hour, messages_a_minute});
  EXPECT_EQ(pace.spacing(Counted::messages, start), 2s);
  EXPECT_EQ(sent_within(pace, start, 1min), 30);
  EXPECT_EQ(sent_within(pace, start + 1min, 59min), 70);
  EXPECT_EQ(sent_within(pace, start + 1h, 1h), 100);
}

TEST(Pace, ABoundOfRecipientsSaysHowManyMayGo) {
  Pace pace({a_second, {100, 1h}});
  EXPECT_EQ(pace.most(start), 100U);
  pace.take(70, start);
  EXPECT_EQ(pace.most(start + 1min), 30U);
  pace.take(30, start + 1min);
  EXPECT_GT(pace.ready_at(start + 2min), start + 1h);
  EXPECT_EQ(Pace({a_second, messages_an_hour}).most(start), std::numeric_limits<std::uint64_t>::max());
}

TEST(Pace, OtherRatesForgetNothingOfThoseThatStay) {
  Pace pace({messages_a_minute, messages_an_hour});
  EXPECT_EQ(sent_within(pace, start, 30min), 100);
  const SteadyTime now = start + 30min;
  pace.use({{10, 1s}, messages_a_minute, {110, 1h, Counted::messages}});
  EXPECT_EQ(sent_within(pace, now, 20min), 10);
  pace.use({});
  EXPECT_EQ(pace.ready_at(now + 20min), now + 20min);
}

TEST(Pace, TooFastHalvesWhicheverTheUpstreamCounts) {
  Pace pace({messages_a_minute});
  SteadyTime now = start;
  for (; now < start + 20s; now += 2s) pace.take(100, now);
  EXPECT_FALSE(pace.slowed(now));
  pace.slow_down(now);
  EXPECT_TRUE(pace.slowed(now));
  EXPECT_GE(pace.spacing(Counted::messages, now), 4s);
  EXPECT_LE(pace.spacing(Counted::messages, now), 6s);
  EXPECT_GE(pace.spacing(Counted::recipients, now), 40ms);
  EXPECT_LE(pace.spacing(Counted::recipients, now), 60ms);
}

// Against every single message: no span of a rate's time has more, but for what is on its way at its edge.
TEST(Pace, NoSpanSeesMoreThanItsRates) {
  const std::vector<std::vector<Rate>> choices = {{messages_a_minute, messages_an_hour},
                                                  {{5, 1s, Counted::messages}, {60, 1min, Counted::messages}},
                                                  {{2, 1s}, {50, 1min}, {400, 1h}, messages_a_minute}};
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const std::vector<Rate>& rates = choices[seed % choices.size()];
    Pace pace(rates);
    std::vector<std::pair<SteadyTime, std::uint32_t>> sent;
    SteadyTime now = start;
    for (int step = 0; step < 600; ++step) {
      now = std::max(now, pace.ready_at(now)) +
            std::chrono::milliseconds(random() % 20 == 0 ? random() % 90'000 : 0);
      const auto recipients =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(1 + random() % 3, pace.most(now)));
      ASSERT_GT(recipients, 0U);
      pace.take(recipients, now);
      sent.emplace_back(now, recipients);
    }
    for (const Rate& rate : rates) {
      // A spacing makes up for a late timer, and a message of many recipients pays after it went.
      const bool is_spacing = std::ranges::none_of(rates, [&rate](const Rate& other) {
        return other.counted == rate.counted && other.period < rate.period;
      });
      const std::uint32_t over = !is_spacing ? 0 : rate.counted == Counted::messages ? 1 : 3;
      std::uint32_t within = 0;
      for (std::size_t first = 0, last = 0; last < sent.size(); ++last) {
        within += rate.counted == Counted::messages ? 1 : sent[last].second;
        for (; sent[first].first + rate.period <= sent[last].first; ++first)
          within -= rate.counted == Counted::messages ? 1 : sent[first].second;
        ASSERT_LE(within, rate.count + over) << to_string(rate) << " seed " << seed;
      }
    }
  }
}

}  // namespace
}  // namespace relayd::send
