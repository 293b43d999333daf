#include "shared/net/addresses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::net {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(Addresses, OneThatRefusedStandsLastForAWhile) {
  Addresses addresses;
  SteadyTime now{};
  EXPECT_THAT(addresses.in_order("host", {"a", "b", "c"}, now), ElementsAre("a", "b", "c"));
  EXPECT_TRUE(addresses.leave("host", "a", now));
  EXPECT_THAT(addresses.in_order("host", {"a", "b", "c"}, now), ElementsAre("b", "c", "a"));
  now += 10min;
  EXPECT_THAT(addresses.in_order("host", {"a", "b", "c"}, now), ElementsAre("a", "b", "c"));
}

TEST(Addresses, AHostWhoseAddressesAllRefuseHasNoOther) {
  Addresses addresses;
  const SteadyTime now{};
  addresses.in_order("host", {"a", "b"}, now);
  EXPECT_TRUE(addresses.leave("host", "b", now));
  EXPECT_FALSE(addresses.leave("host", "a", now));
  EXPECT_THAT(addresses.in_order("host", {"a", "b"}, now), ElementsAre("a", "b"));
  EXPECT_FALSE(addresses.leave("single", "a", now));
}

TEST(Addresses, EachHostHasItsOwn) {
  Addresses addresses;
  const SteadyTime now{};
  addresses.in_order("one", {"a", "b"}, now);
  addresses.leave("one", "a", now);
  EXPECT_THAT(addresses.in_order("two", {"a", "b"}, now), ElementsAre("a", "b"));
}

TEST(Addresses, TakeTheFamiliesInTurn) {
  EXPECT_THAT(interleave({"::1", "::2", "::3", "10.0.0.1"}), ElementsAre("::1", "10.0.0.1", "::2", "::3"));
  EXPECT_THAT(interleave({"10.0.0.1", "10.0.0.2", "::1", "::2", "::3"}),
              ElementsAre("10.0.0.1", "::1", "10.0.0.2", "::2", "::3"));
  EXPECT_THAT(interleave({"10.0.0.1", "10.0.0.2"}), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(interleave({}), ElementsAre());
}

}  // namespace
}  // namespace relayd::net
