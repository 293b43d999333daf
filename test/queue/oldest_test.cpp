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

TEST_F(OldestTest, IsFoundWhereTheIndexGrowsMeanwhile) {
  fill(20'000, 40'000);
  OldestSearch search;
  ASSERT_TRUE(index.go_on(search));
  fill(40'001, 200'000);
  EXPECT_EQ(finish(search), MessageId{20'000});
}

}  // namespace
}  // namespace relayd::queue
