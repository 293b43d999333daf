#include "shared/base/counted.hpp"

#include <gtest/gtest.h>

namespace relayd {
namespace {

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(0, "rule"), "0 rules");
  EXPECT_EQ(counted(1U, "rule"), "1 rule");
  EXPECT_EQ(counted(2, "more account"), "2 more accounts");
}

}  // namespace
}  // namespace relayd
