// The search for the oldest message, step by step, while the index changes.
#include <gtest/gtest.h>

#include "queue/index.hpp"

namespace relayd::queue {
namespace {

constexpr Clock start{};

class OldestTest : public testing::Test {
 protected:
  Entry& add(std::uint64_t id) { return index.add({id}, message, {1, 0}, 100, start); }
  void fill(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t id = first; id <= last; ++id) add(id);
  }
  std::optional<MessageId> finish(OldestSearch search = {}) {
    while (index.go_on(search)) continue;
    return search.found;
  }

  Index index;
  StoredMessage message;
};

TEST_F(OldestTest, OfNothingThereIsNone) {
  EXPECT_EQ(finish(), std::nullopt);
}

TEST_F(OldestTest, IsTheOneWithTheSmallestId) {
  fill(20'000, 40'000);
  add(19'999);
  EXPECT_EQ(finish(), MessageId{19'999});
}

TEST_F(OldestTest, FailedOnesDoNotCountAndHeldOnesDo) {
  index.set_failed(add(1), {});
  index.set_timeless(add(2), MessageState::held);
  index.set_timeless(add(3), MessageState::ready);
  EXPECT_EQ(finish(), MessageId{2});
}

// Some of these ids move from a part that is not searched yet to one that is.
TEST_F(OldestTest, IsFoundWhereTheIndexGrowsMeanwhile) {
  for (std::uint64_t first = 44'000; first < 47'000; first += 500) {
    index = {};
    fill(first, first + 6'000);
    OldestSearch search;
    ASSERT_TRUE(index.go_on(search));
    fill(first + 6'001, first + 22'000);
    EXPECT_EQ(finish(search), MessageId{first});
  }
}

}  // namespace
}  // namespace relayd::queue
