#include "shared/base/secret.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <new>

namespace relayd {
namespace {

constexpr std::string_view canary = "short-canary";  // fits into the string itself

// The place of a secret, to look at when it is gone from there.
struct Place {
  alignas(Secret) std::array<char, sizeof(Secret)> octets{};

  bool holds_canary() const {
    return std::search(octets.begin(), octets.end(), canary.begin(), canary.end()) != octets.end();
  }
};

TEST(Secret, LeavesNothingWhereItWas) {
  Place place;
  auto* const secret = new (place.octets.data()) Secret(std::string(canary));
  EXPECT_TRUE(place.holds_canary());
  secret->~Secret();
  EXPECT_FALSE(place.holds_canary());
}

TEST(Secret, LeavesNothingWhereItWasMovedFrom) {
  Place place;
  auto* const secret = new (place.octets.data()) Secret(std::string(canary));
  const Secret moved(std::move(*secret));
  EXPECT_FALSE(place.holds_canary());
  EXPECT_EQ(moved.reveal(), canary);
  secret->~Secret();
}

TEST(Secret, LeavesNothingWhereItWasReplaced) {
  Place place;
  auto* const secret = new (place.octets.data()) Secret(std::string(canary));
  *secret = Secret();
  EXPECT_FALSE(place.holds_canary());
  secret->~Secret();
}

TEST(Secret, LeavesNothingInTheStringThatItWasMadeOf) {
  std::string text(canary);
  const char* const octets = text.data();
  const Secret secret(std::move(text));
  EXPECT_EQ(std::count(octets, octets + canary.size(), '\0'), std::ptrdiff_t(canary.size()));
  EXPECT_EQ(secret.reveal(), canary);
}

}  // namespace
}  // namespace relayd
