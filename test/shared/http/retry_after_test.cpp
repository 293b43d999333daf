#include "shared/http/retry_after.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::http {
namespace {

using namespace std::chrono_literals;
using std::chrono::seconds;

constexpr WallTime day(int year, unsigned month, unsigned number) {
  return std::chrono::sys_days(std::chrono::year(year) / month / number);
}

constexpr WallTime noon = day(2026, 11, 23) + 12h;

TEST(RetryAfter, IsSeconds) {
  EXPECT_EQ(retry_after("0", noon), 0s);
  EXPECT_EQ(retry_after("120", noon), 120s);
  EXPECT_EQ(retry_after("0007", noon), 7s);
}

TEST(RetryAfter, IsADateInEachFormOfHttp) {
  EXPECT_EQ(retry_after("Mon, 23 Nov 2026 12:10:00 GMT", noon), 10min);
  EXPECT_EQ(retry_after("Monday, 23-Nov-26 12:10:00 GMT", noon), 10min);
  EXPECT_EQ(retry_after("Mon Nov 23 12:10:00 2026", noon), 10min);
  EXPECT_EQ(retry_after("Sun Nov  1 00:00:09 2026", day(2026, 11, 1)), 9s);
  EXPECT_EQ(retry_after("Tue, 29 Feb 2028 00:00:00 GMT", day(2028, 2, 28) + 23h), 1h);
}

TEST(RetryAfter, ComesToTheWholeSecondAfter) {
  EXPECT_EQ(retry_after("Mon, 23 Nov 2026 12:00:01 GMT", noon + 1us), 1s);
  EXPECT_EQ(retry_after("Mon, 23 Nov 2026 23:59:60 GMT", noon), 12h);  // a leap second
}

TEST(RetryAfter, IsNothingToWaitForOnceItIsPast) {
  for (const char* const past : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                 "Sun Nov  6 08:49:37 1994", "Mon, 23 Nov 2026 11:59:59 GMT"})
    EXPECT_EQ(retry_after(past, noon), 0s) << past;
}

TEST(RetryAfter, TakesTwoDigitsForAYearAtMost50YearsAhead) {
  EXPECT_EQ(retry_after("Monday, 23-Nov-76 12:00:00 GMT", noon), longest_retry_after);
  EXPECT_EQ(retry_after("Monday, 23-Nov-77 12:00:00 GMT", noon), 0s);
}

TEST(RetryAfter, IsBelievedForADayAtMost) {
  for (const char* const longer : {"86400", "86401", "99999999999999999999", "Wed, 25 Nov 2026 12:00:00 GMT",
                                   "Fri, 31 Dec 9999 23:59:59 GMT", "Fri Dec 31 23:59:59 9999"})
    EXPECT_EQ(retry_after(longer, noon), seconds(86400)) << longer;
}

TEST(RetryAfter, IsNothingElse) {
  for (const char* const wrong : {"",
                                  " ",
                                  "-1",
                                  "+1",
                                  "1.5",
                                  "1 s",
                                  " 1",
                                  "1 ",
                                  "0x10",
                                  "soon",
                                  "Mon, 23 Nov 2026 12:10:00",
                                  "Mon, 23 Nov 2026 12:10:00 UTC",
                                  "Mon, 23 Nov 2026 12:10:00 GMT ",
                                  "Mon, 23 Nov 2026 12:10 GMT",
                                  "mon, 23 Nov 2026 12:10:00 GMT",
                                  "Mon, 23 nov 2026 12:10:00 GMT",
                                  "Mon,23 Nov 2026 12:10:00 GMT",
                                  "Xyz, 23 Nov 2026 12:10:00 GMT",
                                  "Mon, 23 Foo 2026 12:10:00 GMT",
                                  "Mon, 3 Nov 2026 12:10:00 GMT",
                                  "Mon, +3 Nov 2026 12:10:00 GMT",
                                  "Mon, 31 Nov 2026 12:10:00 GMT",
                                  "Mon, 00 Nov 2026 12:10:00 GMT",
                                  "Sun, 29 Feb 2026 12:10:00 GMT",
                                  "Mon, 23 Nov 2026 24:00:00 GMT",
                                  "Mon, 23 Nov 2026 12:60:00 GMT",
                                  "Mon, 23 Nov 2026 12:10:61 GMT",
                                  "Mon, 23-Nov-26 12:10:00 GMT",
                                  "Monday, 23-Nov-2026 12:10:00 GMT",
                                  "Mon Nov 6 12:10:00 2026",
                                  "Mon Nov 23 12:10:00 2026 GMT",
                                  "2026-11-23T12:10:00Z"})
    EXPECT_FALSE(retry_after(wrong, noon)) << wrong;
  EXPECT_FALSE(retry_after(std::string("60\0", 3), noon));
}

}  // namespace
}  // namespace relayd::http
