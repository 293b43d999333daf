#include "queue/index.hpp"

#include <gtest/gtest.h>

#include <set>

namespace relayd::queue {
namespace {

constexpr Clock start{};

class IndexTest : public testing::Test {
 protected:
  Entry& add(std::uint64_t id) { return index.add({id}, facts, envelope, {1, 0}, 100, start); }
  void fill(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t id = first; id <= last; ++id) add(id);
  }
  void walk_on(Walk& walk) {
    while (index.go_on(walk, [this](const Entry& entry) { met.insert(entry.id().value); })) continue;
  }

  Index index;
  MessageFacts facts;
  Envelope envelope;
  std::set<std::uint64_t> met;
};

TEST_F(IndexTest, AWalkMeetsEveryMessage) {
  fill(1, 20'000);
  Walk walk;
  walk_on(walk);
  EXPECT_EQ(met.size(), 20'000U);
}

// Some of these ids move from a part that was not walked yet to one that was.
TEST_F(IndexTest, AWalkMeetsThoseWhoWereThereWhenTheIndexGrowsMeanwhile) {
  for (std::uint64_t first = 44'000; first < 47'000; first += 500) {
    index = {};
    met.clear();
    fill(first, first + 6'000);
    Walk walk;
    ASSERT_TRUE(index.go_on(walk, [this](const Entry& entry) { met.insert(entry.id().value); }));
    fill(first + 6'001, first + 22'000);
    walk_on(walk);
    for (std::uint64_t id = first; id <= first + 6'000; ++id) ASSERT_TRUE(met.contains(id));
  }
}

TEST_F(IndexTest, ASegmentCountsItsMessagesThatHaveASummary) {
  fill(1, 3);
  index.set_base(*index.find(MessageId{1}), 1);
  index.set_base(*index.find(MessageId{2}), 1);
  const SegmentUse& use = index.segments().at(1);
  EXPECT_EQ(use.count, 3U);
  EXPECT_EQ(use.based, 2U);
  EXPECT_EQ(use.based_ids, id_checksum({1}) ^ id_checksum({2}));
  index.doom(*index.find(MessageId{1}));
  EXPECT_EQ(use.based, 1U);
  index.erase(*index.find(MessageId{1}));
  index.erase(*index.find(MessageId{2}));
  EXPECT_EQ(use.count, 1U);
  EXPECT_EQ(use.based, 0U);
  EXPECT_EQ(use.based_ids, 0U);
  EXPECT_EQ(index.based(), 0U);
}

// A message for more recipients than one transaction takes: all goes well, again and again.
TEST_F(IndexTest, ASliceThatIsOverIsNoAttempt) {
  envelope.recipients.resize(3);
  Entry& entry = add(1);
  Outcome outcome;
  outcome.recipients = {{0, RecipientState::delivered, 250, "2.0.0 ok"}};
  index.apply(entry, outcome, false, {}, start);
  EXPECT_EQ(entry.attempts(), 0);
  index.apply(entry, Doubt{"office", {1}, {}}, {});
  EXPECT_EQ(entry.attempts(), 1);
  outcome.recipients = {{1, RecipientState::failed, 550, "5.1.1 nobody"}};
  index.apply(entry, outcome, true, {}, start);
  EXPECT_EQ(entry.attempts(), 0);
  outcome.recipients = {{2, RecipientState::pending, 450, "4.2.0 later"}};
  index.apply(entry, outcome, false, {}, start);
  EXPECT_EQ(entry.attempts(), 1);
}

TEST_F(IndexTest, ASummaryBringsBackWhatTheEntryWas) {
  envelope.routing_sender = "a@example.org";
  envelope.recipients.resize(40);
  Entry& entry = add(7);
  const Clock now{SteadyTime(std::chrono::hours(2)), WallTime(std::chrono::hours(500'000))};
  index.apply(entry, Doubt{"office", {1, 39}, {}}, {});
  index.set_waiting(entry.shipment_of(1), now.now + std::chrono::minutes(5));
  const Summary summary = index.summary_of(entry, now);
  Index other;
  Entry& back = other.add({7}, summary, {3, 8192}, now);
  EXPECT_EQ(back.routing_sender, "a@example.org");
  EXPECT_EQ(back.shipment_of(39).doubted, "office");
  EXPECT_EQ(back.shipment_of(39).doubts, 1);
  EXPECT_EQ(back.attempts(), 1);
  EXPECT_EQ(back.unsent(), 40U);
  EXPECT_EQ(back.states.get(39), RecipientState::doubtful);
  EXPECT_EQ(back.states.get(38), RecipientState::pending);
  EXPECT_EQ(back.shipment_of(1).due, entry.shipment_of(1).due);
  EXPECT_EQ(back.base, 3U);
  EXPECT_EQ(other.state_need(), index.state_need());
}

}  // namespace
}  // namespace relayd::queue
