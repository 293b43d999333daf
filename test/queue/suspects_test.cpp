// Which messages damage in the state log is about.
#include "queue/suspects.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "queue/index.hpp"
#include "queue/record.hpp"

namespace relayd::queue {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t generation = 7;
constexpr MessageId about{0x0022334455667788};
constexpr MessageId near{0x0022334455667700};
constexpr MessageId other{0x0033334455667700};

class SuspectsTest : public testing::Test {
 protected:
  SuspectsTest() {
    Envelope envelope;
    envelope.recipients.push_back({"a@example.org", "", ""});
    for (const MessageId id : {about, near, other}) index.add(id, {}, envelope, {1, 64}, 100, {});
  }
  void damage(MessageId id) {
    std::string record = encode_event(RecordType::hold, id, {}, {});
    seal(record, generation, 0);
    suspects.damaged(record, generation, true);
  }

  Index index;
  Suspects suspects;
};

TEST_F(SuspectsTest, AMessageIsHeldWhoseIdDiffersInOneOctetAtMost) {
  damage(about);
  EXPECT_THAT(suspects.hold(index), ElementsAre(near, about));
}

TEST_F(SuspectsTest, WhatIsRecordedLaterMakesItClear) {
  damage(about);
  suspects.clear(near);
  EXPECT_THAT(suspects.hold(index), ElementsAre(about));
}

TEST_F(SuspectsTest, WhatIsRecordedBeforeDoesNot) {
  damage(other);
  suspects.clear(about);
  damage(about);
  EXPECT_THAT(suspects.hold(index), ElementsAre(near, about, other));
}

TEST_F(SuspectsTest, WhatCannotBeReadMayBeAboutAnyThatWasThere) {
  suspects.damaged(std::string(512, '\0'), generation, false);
  suspects.none_above(about);
  EXPECT_THAT(suspects.hold(index), ElementsAre(near, about));
}

TEST_F(SuspectsTest, VeryManyAreNotToldFromTheRest) {
  for (std::uint64_t i = 1; i <= 100; ++i) damage({i * 0x0000010101010101});
  EXPECT_THAT(suspects.hold(index), IsEmpty());
  damage({101 * 0x0000010101010101});
  EXPECT_EQ(suspects.hold(index).size(), 3U);
}

TEST_F(SuspectsTest, OneMoreLaterLeavesTheYoungerAlone) {
  for (std::uint64_t i = 1; i <= 101; ++i) damage({i * 0x0000010101010101});
  suspects.none_above(about);
  damage({0x0000010101010101});
  EXPECT_THAT(suspects.hold(index), ElementsAre(near, about));
}

TEST_F(SuspectsTest, ACheckpointIsAboutNoMessage) {
  Checkpoint checkpoint;
  checkpoint.last_id = about;
  std::string record = encode_checkpoint(checkpoint);
  seal(record, generation, 0);
  suspects.damaged(record, generation, true);
  EXPECT_THAT(suspects.hold(index), IsEmpty());
}

}  // namespace
}  // namespace relayd::queue
