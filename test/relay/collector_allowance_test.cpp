// The collector and its users: what one of them may leave in the folder.
#include <gmock/gmock.h>

#include "relay/collector_fixture.hpp"

namespace relayd {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using test::CollectorTest;
using testing::Each;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using namespace std::string_literals;

TEST_F(CollectorTest, WhatAUserHasAboveHisAllowanceGoesTheOldestFirst) {
  allowance.files = 2;
  for (const char* name : {"new-1", "new-2", "new-3", "refused-1", "refused-2", "refused-3"}) {
    leave_for(1000, name);
    leave_for(0, name + "-of-root"s);
  }
  for (const char* name : {"new-x", "new-y", "new-z"}) leave_for(1001, name);
  start();
  EXPECT_THAT(left(), UnorderedElementsAre("new-y", "new-z", "new-2", "new-3", "refused-2", "refused-3",
                                           "new-1-of-root", "new-2-of-root", "new-3-of-root",
                                           "refused-1-of-root", "refused-2-of-root", "refused-3-of-root"));
  leave_for(1000, "new-4");
  advance(seconds(50));
  EXPECT_THAT(left(), testing::Contains("new-2"));  // it is not counted with each look
  advance(seconds(10));
  EXPECT_THAT(left(), testing::Not(testing::Contains("new-2")));
}

TEST_F(CollectorTest, WhatAUserLeavesIsTakenHoweverMuchItIs) {
  allowance.files = 2;
  for (int i = 0; i < 5; ++i) leave_for(1000);
  start();
  EXPECT_EQ(intake.taken.size(), 5u);
}

TEST_F(CollectorTest, WhatWaitsAboveTheAllowanceIsSetAsideOnceItWasTried) {
  allowance.files = 2;
  leave_numbered(3);
  refuse({451, {4, 3, 2}, "Starting"});  // whoever is not ready has no idea how much there may be
  start();
  EXPECT_EQ(left().size(), 3u);
  EXPECT_THAT(left(), Each(StartsWith("0")));
  refuse({452, {4, 3, 1}, "The disk is full"});
  advance(minutes(2));
  EXPECT_THAT(left(), UnorderedElementsAre(StartsWith("0000000000000002"), StartsWith("0000000000000003"),
                                           StartsWith("refused-")));
}

TEST_F(CollectorTest, WhatWaitsForItsOwnReasonHasTheAllowanceToo) {
  allowance.files = 2;
  leave_numbered(5);
  refuse({450, {4, 7, 1}, "Not today"});
  start();
  EXPECT_THAT(left(), UnorderedElementsAre(StartsWith("0000000000000004"), StartsWith("0000000000000005"),
                                           StartsWith("refused-"), StartsWith("refused-")));
  EXPECT_EQ(warnings("drop_refused"), 3u);
  EXPECT_EQ(warnings("drop_removed"), 1u);
}

}  // namespace
}  // namespace relayd
