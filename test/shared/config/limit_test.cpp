// Rates and quotas: what they count and in which time, from text and back.
#include "shared/config/limit.hpp"

#include <gtest/gtest.h>

namespace relayd::config {
namespace {

using namespace std::chrono_literals;

TEST(Limit, ARateCountsRecipientsUnlessItSaysMessages) {
  EXPECT_EQ(parse_rate("14/s").value(), (Rate{14, 1s, Counted::recipients}));
  EXPECT_EQ(parse_rate("14 recipients/s").value(), (Rate{14, 1s, Counted::recipients}));
  EXPECT_EQ(parse_rate("30 messages/m").value(), (Rate{30, 1min, Counted::messages}));
  EXPECT_EQ(parse_rate("1000/h").value(), (Rate{1000, 1h, Counted::recipients}));
}

TEST(Limit, AQuotaIsOfACalendarPeriodOrOfASpanThatSlides) {
  EXPECT_EQ(parse_quota("50000/day").value(), (Quota{50'000, Quota::Period::day}));
  EXPECT_EQ(parse_quota("9 messages/month").value(), (Quota{9, Quota::Period::month, {}, Counted::messages}));
  EXPECT_EQ(parse_quota("50000/24h").value(), (Quota{50'000, Quota::Period::sliding, 24h}));
  EXPECT_EQ(parse_quota("2000 messages/1d").value(),
            (Quota{2000, Quota::Period::sliding, 24h, Counted::messages}));
  EXPECT_EQ(parse_quota("319444/10m").value(), (Quota{319'444, Quota::Period::sliding, 10min}));
}

TEST(Limit, IsReadAsItIsShown) {
  for (const char* const text : {"14/s", "30/m", "1000/h", "4294967295/h", "30 messages/m", "1 messages/s"})
    EXPECT_EQ(to_string(parse_rate(text).value()), text);
  for (const char* const text : {"1/day", "50000/day", "100000000000/month", "50000/24h", "2000 messages/24h",
                                 "7/7d", "7/36h", "3 messages/90m", "4/90s", "18446744073709551615/day"})
    EXPECT_EQ(to_string(parse_quota(text).value()), text);
}

TEST(Limit, WhatIsNoLimitIsRefused) {
  for (const char* const text : {"", "14", "14/", "/s", "0/s", "-1/s", "14 /s", "14/ s", "14/S", "14/min",
                                 "14/day", "14/24h", "14  messages/s", "14messages/s", "14 message/s",
                                 "14 octets/s", "4294967296/s", "99999999999999999999/s"})
    EXPECT_FALSE(parse_rate(text)) << text;
  for (const char* const text : {"", "5", "5/", "0/day", "5/week", "5/h", "5/s", "5/0h", "5/59s", "5/32d",
                                 "5/1500ms", "5/61500ms", "5 messages", "5/day/day", "5/24 h"})
    EXPECT_FALSE(parse_quota(text)) << text;
}

TEST(Limit, AlikeAreThoseThatCountTheSameInTheSameTime) {
  EXPECT_TRUE(alike(Rate{1, 1s}, Rate{2, 1s}));
  EXPECT_FALSE(alike(Rate{1, 1s}, Rate{1, 1min}));
  EXPECT_FALSE(alike(Rate{1, 1s}, Rate{1, 1s, Counted::messages}));
  const Quota sliding{1, Quota::Period::sliding, 24h};
  EXPECT_TRUE(alike(sliding, Quota{2, Quota::Period::sliding, 24h}));
  EXPECT_FALSE(alike(sliding, Quota{1, Quota::Period::sliding, 1h}));
  EXPECT_FALSE(alike(sliding, Quota{1, Quota::Period::day}));
  EXPECT_FALSE(alike(Quota{1, Quota::Period::month}, Quota{1, Quota::Period::day}));
}

TEST(Limit, ListsAreShownInTheirOrder) {
  EXPECT_EQ(to_string(std::vector<Rate>{{14, 1s}, {30, 1min, Counted::messages}}), "14/s, 30 messages/m");
  EXPECT_EQ(to_string(std::vector<Quota>{}), "none");
}

}  // namespace
}  // namespace relayd::config
