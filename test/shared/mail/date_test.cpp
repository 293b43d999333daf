#include "shared/mail/date.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

TEST(Date, EveryMoment) {
  EXPECT_EQ(format_date(WallTime{}), "Thu, 1 Jan 1970 00:00:00 +0000");
  EXPECT_EQ(format_date(WallTime{std::chrono::microseconds(-1)}), "Wed, 31 Dec 1969 23:59:59 +0000");
  EXPECT_EQ(format_date(WallTime{std::chrono::seconds(951'782'400)}), "Tue, 29 Feb 2000 00:00:00 +0000");
  EXPECT_EQ(format_date(WallTime{std::chrono::seconds(2'147'483'648)}), "Tue, 19 Jan 2038 03:14:08 +0000");
}

}  // namespace
}  // namespace relayd::mail
