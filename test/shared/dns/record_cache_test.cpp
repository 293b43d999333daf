#include "shared/dns/record_cache.hpp"

#include <gtest/gtest.h>

namespace relayd::dns {
namespace {

using namespace std::chrono_literals;

const RecordCache::Key key{RecordType::mx, "example.net"};

Told told(std::uint32_t ttl) {
  return {.name = "example.net", .records = {{5, 0, 0, "mx.example.net"}}, .ttl = ttl};
}

TEST(RecordCache, KeepsAnAnswerForItsTime) {
  RecordCache cache;
  SteadyTime now{};
  EXPECT_EQ(cache.fresh(key, now), nullptr);
  cache.keep(key, told(60), now);
  EXPECT_NE(cache.fresh(key, now + 59s), nullptr);
  EXPECT_EQ(cache.fresh(key, now + 60s), nullptr);
  EXPECT_EQ(cache.fresh({RecordType::srv, "example.net"}, now), nullptr);
}

TEST(RecordCache, AnAnswerOfNoTimeIsAskedForAgain) {
  RecordCache cache;
  cache.keep(key, told(0), {});
  EXPECT_EQ(cache.fresh(key, {}), nullptr);
  EXPECT_NE(cache.stale(key, {}), nullptr);
}

TEST(RecordCache, AnOldAnswerServesADayWhereThereIsNoNewOne) {
  RecordCache cache;
  cache.keep(key, told(60), {});
  EXPECT_NE(cache.stale(key, SteadyTime{} + 24h), nullptr);
  EXPECT_EQ(cache.stale(key, SteadyTime{} + 24h + 60s), nullptr);
}

TEST(RecordCache, ThatThereIsNothingEndsWhatWasKnown) {
  RecordCache cache;
  cache.keep(key, told(60), {});
  cache.keep(key, {.name = "example.net", .exists = false}, {});
  EXPECT_EQ(cache.stale(key, {}), nullptr);
}

TEST(RecordCache, IsBounded) {
  RecordCache cache;
  for (unsigned i = 0; i < RecordCache::most + 10; ++i)
    cache.keep({RecordType::mx, std::to_string(i)}, told(i), {});
  EXPECT_EQ(cache.size(), RecordCache::most);
  EXPECT_EQ(cache.stale({RecordType::mx, "0"}, {}), nullptr);
  EXPECT_NE(cache.stale({RecordType::mx, std::to_string(RecordCache::most)}, {}), nullptr);
}

}  // namespace
}  // namespace relayd::dns
