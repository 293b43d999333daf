#include "accept/penalties.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace relayd::accept {
namespace {

using namespace std::chrono_literals;

TEST(Penalties, GrowAndAreForgotten) {
  Penalties penalties;
  const SteadyTime start{1h};
  for (const Duration delay : {1s, 2s, 4s, 8s, 8s})
    EXPECT_EQ(penalties.failed("192.0.2.7", "ann", start), delay);
  EXPECT_EQ(penalties.failed("192.0.2.8", "ann", start), 1s);
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start));
  for (int i = 0; i < 15; ++i) penalties.failed("192.0.2.7", "ann", start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start + Penalties::memory + 1s));
  EXPECT_EQ(penalties.failed("192.0.2.7", "ann", start + Penalties::memory + 1s), 1s);
}

TEST(Penalties, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(counted_as("2001:db8:1:2:3:4:5:6"), counted_as("2001:db8:1:2::1"));
  EXPECT_NE(counted_as("2001:db8:1:3::1"), counted_as("2001:db8:1:2::1"));
  EXPECT_EQ(counted_as("fe80::1%eth0"), counted_as("fe80::2%eth0"));
  EXPECT_EQ(counted_as("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(counted_as("uid:1000"), "uid:1000");
}

TEST(Penalties, AnAccountIsCountedForEachAddress) {
  const SteadyTime start{1h};
  Penalties penalties;
  for (unsigned i = 0; i < Penalties::limit; ++i) penalties.failed("192.0.2.7", "ann", start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "bob", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "ann", start));
  EXPECT_EQ(penalties.failed("192.0.2.7", "bob", start), 1s);
}

TEST(Penalties, WhoTriesManyNamesIsStoppedAndWhoIsKnownThereIsNot) {
  const SteadyTime start{1h};
  Penalties penalties;
  penalties.succeeded("192.0.2.7", "ann", start);
  for (unsigned i = 0; i < Penalties::limit_of_all; ++i)
    penalties.failed("192.0.2.7", "name" + std::to_string(i), start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "another", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "another", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "another", start + Penalties::memory + 1s));
}

TEST(Penalties, ASiteIsCountedBesideItsNetworks) {
  const SteadyTime start{1h};
  Penalties penalties;
  const auto network = [](unsigned number) { return fmt::format("2001:db8:1:{:x}::1", number); };
  for (unsigned i = 0; i < Penalties::limit; ++i) penalties.failed(network(0), "ann", start);
  EXPECT_TRUE(penalties.exhausted(network(0), "ann", start));
  EXPECT_FALSE(penalties.exhausted(network(1), "ann", start));
  for (unsigned i = 0; i < Penalties::limit * (Penalties::times_for_a_site - 1); ++i)
    penalties.failed(network(2 + i), "ann", start);
  EXPECT_TRUE(penalties.exhausted(network(1), "ann", start));
  EXPECT_FALSE(penalties.exhausted("2001:db8:2:1::1", "ann", start));
}

TEST(Penalties, MemoryIsBounded) {
  Penalties penalties;
  for (std::size_t i = 0; i < 2 * Penalties::entries_limit; ++i)
    penalties.failed("192.0.2." + std::to_string(i), "ann", SteadyTime{1h});
  for (int i = 0; i < 20; ++i) penalties.failed("192.0.2.0", "ann", SteadyTime{1h});
  EXPECT_TRUE(penalties.exhausted("192.0.2.0", "ann", SteadyTime{1h}));
}

// An application behind a gateway logs in for every message, and a neighbour guesses its password: neither is
// it shut out, nor does its success let him guess any faster.
TEST(Penalties, AnAccountThatLogsInFromThereIsSlowToGuessAndNeverShutOut) {
  const SteadyTime now{1h};
  Penalties penalties;
  penalties.succeeded("192.0.2.7", "app", now);
  for (unsigned guess = 0; guess < 10'000; ++guess) {
    EXPECT_EQ(penalties.failed("192.0.2.7", "app", now), guess < 3 ? 1s * (1 << guess) : 8s);
    EXPECT_FALSE(penalties.exhausted("192.0.2.7", "app", now));
    if (guess % 10 == 0) penalties.succeeded("192.0.2.7", "app", now);
  }
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "another", now));
}

TEST(Penalties, ALoginOpensNoOtherNetworkOfTheSite) {
  const SteadyTime now{1h};
  Penalties penalties;
  for (unsigned i = 0; i < Penalties::limit * Penalties::times_for_a_site; ++i) {
    penalties.failed(fmt::format("2001:db8:1:{:x}::1", 16 + i), "ann", now);
    penalties.succeeded("2001:db8:1:7::1", "ann", now);
  }
  EXPECT_TRUE(penalties.exhausted("2001:db8:1:8::1", "ann", now));
}

TEST(Penalties, OfTooManyLoginsTheOldestIsForgotten) {
  const SteadyTime now{1h};
  Penalties penalties;
  const auto busy = [](std::size_t number) { return fmt::format("uid:{}", number); };
  for (std::size_t i = 0; i < Penalties::entries_limit; ++i) penalties.succeeded(busy(i), "ann", now);
  penalties.succeeded("10.0.0.1", "ann", now);
  penalties.succeeded("192.0.2.7", "ann", now);
  EXPECT_TRUE(penalties.knows("10.0.0.1", now));
  EXPECT_TRUE(penalties.knows(busy(Penalties::entries_limit - 1), now));
  EXPECT_FALSE(penalties.knows(busy(0), now));
}

TEST(Penalties, WhoeverLogsInFromHisNetworkIsNotShutOutByTheOnesAround) {
  Penalties penalties;
  const SteadyTime now{1h};
  penalties.succeeded("2001:db8:1:7::1", "ann", now);
  for (unsigned i = 0; i < 20 * Penalties::limit; ++i)
    penalties.failed(fmt::format("2001:db8:1:{:x}::1", 16 + i % 20), "ann", now);
  EXPECT_FALSE(penalties.exhausted("2001:db8:1:7::1", "ann", now));
  EXPECT_TRUE(penalties.exhausted("2001:db8:1:8::1", "ann", now));
}

}  // namespace
}  // namespace relayd::accept
