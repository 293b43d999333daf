// Allowance: what is left of days, months and spans, for one account and for all of an upstream.
#include "send/allowance.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <optional>
#include <random>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Quota;
using std::chrono::sys_days;
using Period = Quota::Period;

const WallTime noon = sys_days(std::chrono::year(2026) / 2 / 28) + 12h;
const Quota a_day{100, Period::day};
const Quota a_month{100, Period::month};
const Quota a_span{100, Period::sliding, 24h};

Allowance allowance(const std::vector<Quota>& quotas) {
  Allowance allowance;
  allowance.use(quotas, noon);
  return allowance;
}

// Sent to all of them, in no time.
void spend(Allowance& allowance, std::uint64_t recipients, WallTime now) {
  allowance.take(recipients);
  allowance.settle(recipients, recipients, now);
}

// What another process goes on with.
Allowance restored(const Allowance& old, const std::vector<Quota>& quotas, WallTime now) {
  Allowance allowance;
  for (const Allowance::Record& record : old.records(now)) allowance.restore(record);
  allowance.use(quotas, now);
  return allowance;
}

TEST(Allowance, WithoutAQuotaThereIsNoEnd) {
  Allowance free;
  spend(free, 1000, noon);
  EXPECT_FALSE(free.counts());
  EXPECT_EQ(free.left(noon), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(free.opens_at(noon), noon);
  EXPECT_TRUE(free.records(noon).empty());
  EXPECT_FALSE(free.take_changed());
}

TEST(Allowance, WhatIsUnderWayCountsUntilItIsKnownWhatCameOfIt) {
  Allowance day = allowance({a_day});
  day.take(30);
  EXPECT_EQ(day.left(noon), 70U);
  day.settle(30, 20, noon);
  EXPECT_EQ(day.left(noon), 80U);
  EXPECT_TRUE(day.take_changed());
  EXPECT_FALSE(day.take_changed());
}

TEST(Allowance, ADayEndsAtMidnightUtc) {
  Allowance day = allowance({a_day});
  spend(day, 100, noon);
  EXPECT_EQ(day.opens_at(noon), WallTime(sys_days(std::chrono::year(2026) / 3 / 1)));
  EXPECT_EQ(day.left(noon + 12h - 1us), 0U);
  EXPECT_EQ(day.left(noon + 12h), 100U);
}

TEST(Allowance, AMonthEndsWithItsLastDay) {
  Allowance month = allowance({a_month});
  const WallTime december = sys_days(std::chrono::year(2026) / 12 / 31) + 23h;
  spend(month, 100, december);
  EXPECT_EQ(month.opens_at(december), WallTime(sys_days(std::chrono::year(2027) / 1 / 1)));
  EXPECT_EQ(month.left(december + 1h), 100U);
  EXPECT_EQ(month.standings(noon).at(0).eases_at, WallTime(sys_days(std::chrono::year(2026) / 3 / 1)));
}

TEST(Allowance, ASpanOpensAsItsFirstPartIsOver) {
  Allowance span = allowance({a_span});
  spend(span, 60, noon);
  spend(span, 40, noon + 6h);
  EXPECT_EQ(span.left(noon + 12h), 0U);  // midnight is no reason
  const WallTime opens = span.opens_at(noon + 12h);
  EXPECT_GT(opens, noon + 24h);
  EXPECT_LE(opens, noon + 24h + 30min + 1s);
  EXPECT_EQ(span.left(opens - 1us), 0U);
  EXPECT_EQ(span.left(opens), 60U);
}

TEST(Allowance, MessagesCountWhateverTheirRecipients) {
  Allowance span = allowance({{3, Period::sliding, 24h, Counted::messages}});
  spend(span, 500, noon);
  spend(span, 500, noon);
  EXPECT_EQ(span.left(noon), std::numeric_limits<std::uint64_t>::max());
  span.take(1);
  EXPECT_EQ(span.left(noon), 0U);
  span.settle(1, 0, noon);
  EXPECT_GT(span.left(noon), 0U);
  spend(span, 1, noon);
  EXPECT_EQ(span.left(noon), 0U);
}

TEST(Allowance, TheTightestOfSeveralBinds) {
  Allowance several =
      allowance({{100, Period::day}, {150, Period::month}, {2, Period::sliding, 1h, Counted::messages}});
  spend(several, 90, noon);
  EXPECT_EQ(several.left(noon), 10U);
  spend(several, 1, noon);
  EXPECT_EQ(several.left(noon), 0U);
  EXPECT_LE(several.opens_at(noon), noon + 1h + 2min);
  EXPECT_EQ(several.left(noon + 2h), 9U);
  spend(several, 59, noon + 12h);
  EXPECT_EQ(several.left(noon + 12h), 100U - 59U);  // March began
}

// With everything on its way there is nothing to wait for but its outcome.
TEST(Allowance, WhatIsUnderWayIsLookedAtAgainSoon) {
  for (const Quota& quota : {a_day, a_month, a_span}) {
    Allowance one = allowance({quota});
    spend(one, 50, noon);
    one.take(50);
    EXPECT_EQ(one.left(noon), 0U);
    EXPECT_EQ(one.opens_at(noon), noon + 1min);
    one.settle(50, 50, noon);
    EXPECT_GE(one.opens_at(noon), noon + 12h);
  }
}

TEST(Allowance, AMessageThatEndsAfterMidnightCountsForBothDays) {
  Allowance day = allowance({a_day});
  day.take(30);
  EXPECT_EQ(day.left(noon + 12h - 1us), 70U);
  day.settle(30, 30, noon + 12h);
  EXPECT_EQ(day.left(noon + 12h), 70U);
}

TEST(Allowance, AccountsShareTheTotal) {
  const auto total = std::make_shared<Allowance>();
  total->use({a_span}, noon);
  Allowance ann, bob = allowance({{50, Period::day}});
  ann.share(total);
  bob.share(total);
  EXPECT_TRUE(ann.counts());
  spend(ann, 70, noon);
  EXPECT_EQ(ann.left(noon), 30U);
  EXPECT_EQ(bob.left(noon), 30U);
  bob.take(30);
  EXPECT_EQ(ann.left(noon), 0U);
  bob.settle(30, 30, noon);
  EXPECT_GT(ann.opens_at(noon), noon + 24h);
  EXPECT_EQ(bob.standings(noon).size(), 2U);
  EXPECT_EQ(bob.standings(noon).at(0).left, 20U);
  EXPECT_TRUE(bob.standings(noon).at(1).total);
  EXPECT_TRUE(total->take_changed());
}

TEST(Allowance, AClockThatIsSetBackOpensNothing) {
  for (const Quota& quota : {a_day, a_month, a_span}) {
    Allowance one = allowance({quota});
    spend(one, 100, noon);
    EXPECT_EQ(one.left(noon - 23h), 0U);
  }
}

TEST(Allowance, WhatAClockFarAheadCountedIsForgotten) {
  for (const Quota& quota : {a_day, a_month, a_span}) {
    Allowance one = allowance({quota});
    spend(one, 100, noon + std::chrono::years(10));
    EXPECT_EQ(one.left(noon), 100U);
    spend(one, 30, noon);
    EXPECT_EQ(one.left(noon), 70U);
  }
}

TEST(Allowance, WhatAnEarlierProcessUsedCounts) {
  for (const Quota& quota : {a_day, a_month, a_span}) {
    Allowance old = allowance({quota});
    spend(old, 60, noon);
    old.take(5);  // a crash: it may have been sent
    EXPECT_EQ(restored(old, {quota}, noon + 1h).left(noon + 1h), 35U);
    old.settle(5, 0, noon + 1h);
    EXPECT_EQ(restored(old, {quota}, noon + 24h * 32).left(noon + 24h * 32), 100U);
  }
}

TEST(Allowance, AnotherLimitOrTimeGoesOnWithWhatWasUsed) {
  Allowance one = allowance({a_day});
  spend(one, 60, noon);
  one.use({{80, Period::day}}, noon);
  EXPECT_EQ(one.left(noon), 20U);
  one.use({a_span, a_month}, noon);
  EXPECT_EQ(one.left(noon), 40U);
  EXPECT_EQ(one.standings(noon).at(0).left, 40U);
  one.use({}, noon);
  EXPECT_FALSE(one.counts());
  one.use({{50, Period::sliding, 24h}}, noon);
  EXPECT_EQ(one.left(noon), 0U);
}

TEST(Allowance, WhatCountsMessagesTellsNothingOfRecipients) {
  Allowance one = allowance({a_month});
  spend(one, 60, noon);
  one.use({{100, Period::month, {}, Counted::messages}}, noon);
  EXPECT_EQ(one.standings(noon).at(0).left, 100U);
}

// Each of several tells of the same mail.
TEST(Allowance, GoesOnWithTheCountThatTellsMost) {
  Allowance one = allowance({a_day, a_month});
  spend(one, 30, noon - 24h);
  spend(one, 10, noon);
  one.use({{100, Period::sliding, 48h}}, noon);
  EXPECT_EQ(one.left(noon), 90U);
}

// --- rates, which a Pace keeps ---

const config::Rate an_hour{20, 1h};

TEST(Allowance, ARateIsCountedAndBindsNothing) {
  Allowance one;
  one.use({a_day}, noon, {an_hour, {5, 1s}});
  spend(one, 50, noon);
  EXPECT_EQ(one.left(noon), 50U);
  EXPECT_EQ(one.standings(noon).size(), 1U);
  ASSERT_EQ(one.earlier(an_hour, noon).size(), 1U);
  EXPECT_EQ(one.earlier(an_hour, noon).at(0).count, 50U);
  EXPECT_TRUE(one.earlier({5, 1s}, noon).empty());
  EXPECT_TRUE(one.earlier(an_hour, noon + 2h).empty());
}

TEST(Allowance, ARateAloneIsReasonEnoughToKeepABook) {
  Allowance one;
  one.use({}, noon, {an_hour});
  EXPECT_TRUE(one.counts());
  one.take(3);
  EXPECT_TRUE(one.take_changed());
  Allowance other;
  for (const Allowance::Record& record : one.records(noon)) other.restore(record);
  other.use({}, noon, {an_hour});
  ASSERT_EQ(other.earlier(an_hour, noon).size(), 1U);
  EXPECT_EQ(other.earlier(an_hour, noon).at(0).count, 3U);  // it may have gone
}

TEST(Allowance, AQuotaOfTheSameTimeCountsForTheRate) {
  Allowance one;
  one.use({{100, Period::sliding, 1h}}, noon, {an_hour});
  spend(one, 7, noon);
  EXPECT_EQ(one.earlier(an_hour, noon).at(0).count, 7U);
  EXPECT_EQ(one.records(noon).size(), 1U);
}

// --- against every single event ---

struct Sent {
  WallTime when{};  // somewhere between take() and settle(), as the upstream's clock has it
  std::uint64_t recipients = 0;
};

std::uint64_t count_within(const std::vector<Sent>& sent, Counted counted, WallTime from, WallTime to) {
  std::uint64_t count = 0;
  for (const Sent& message : sent)
    if (message.when >= from && message.when <= to)
      count += counted == Counted::messages ? 1 : message.recipients;
  return count;
}

// The start of what a message at `when` may not share with too many others.
WallTime begin_of(const Quota& quota, WallTime when) {
  const sys_days day = std::chrono::floor<std::chrono::days>(when);
  if (quota.period == Period::sliding) return when - quota.span;
  if (quota.period == Period::day) return day;
  const std::chrono::year_month_day date(day);
  return sys_days(date.year() / date.month() / 1);
}

class World {
 public:
  explicit World(unsigned seed) : random_(seed) {
    const std::vector<Quota> all = {{40, Period::day},
                                    {90, Period::month},
                                    {25, Period::sliding, 6h},
                                    {7, Period::sliding, 24h, Counted::messages},
                                    {30, Period::month, {}, Counted::messages}};
    for (const Quota& quota : all)
      if (draw(2) == 0) quotas_.push_back(quota);
    allowance_.use(quotas_, now_);
  }

  void step() {
    now_ += std::chrono::minutes(draw(90));
    switch (draw(12)) {
      case 0:
        return restart();
      case 1:
      case 2:
      case 3:
      case 4:
        return end_one();
      default:
        begin_one();
    }
  }

  void check() const {
    for (const Quota& quota : quotas_)
      for (const Sent& message : sent_)
        ASSERT_LE(count_within(sent_, quota.counted, begin_of(quota, message.when), message.when),
                  quota.count)
            << to_string(quota);
  }
  std::size_t sent() const { return sent_.size(); }

 private:
  struct UnderWay {
    WallTime begun{};
    std::uint64_t recipients = 0;
  };

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  void begin_one() {
    const std::uint64_t left = allowance_.left(now_);
    if (left == 0) return;
    const UnderWay message{now_, std::min<std::uint64_t>(left, 1 + draw(9))};
    allowance_.take(message.recipients);
    under_way_.push_back(message);
  }
  // What became of it until now.
  std::uint64_t outcome(const UnderWay& message) {
    const std::uint64_t sent = draw(3) == 0 ? draw(message.recipients + 1) : message.recipients;
    const auto span = static_cast<std::uint64_t>((now_ - message.begun).count());
    if (sent > 0) sent_.push_back({message.begun + std::chrono::microseconds(draw(span + 1)), sent});
    return sent;
  }
  void end_one() {
    if (under_way_.empty()) return;
    const std::size_t which = draw(under_way_.size());
    const UnderWay message = under_way_[which];
    under_way_.erase(under_way_.begin() + static_cast<std::ptrdiff_t>(which));
    allowance_.settle(message.recipients, outcome(message), now_);
  }
  void restart() {
    for (const UnderWay& message : under_way_) outcome(message);
    under_way_.clear();
    allowance_ = restored(allowance_, quotas_, now_);
  }

  std::mt19937 random_;
  WallTime now_ = noon;
  std::vector<Quota> quotas_;
  Allowance allowance_;
  std::vector<UnderWay> under_way_;
  std::vector<Sent> sent_;
};

TEST(Allowance, NoPeriodAndNoSpanSeesMoreThanItsQuota) {
  std::size_t sent = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    World world(seed);
    for (int step = 0; step < 400; ++step) world.step();
    world.check();
    ASSERT_FALSE(testing::Test::HasFatalFailure()) << "seed " << seed;
    sent += world.sent();
  }
  EXPECT_GT(sent, 300U * 40);
}

}  // namespace
}  // namespace relayd::send
