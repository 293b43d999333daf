// Which messages damage in the state log is about.
#include "queue/suspects.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "queue/codec.hpp"
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
  SuspectsTest() { fill(index); }
  static void fill(Index& empty) {
    Envelope envelope;
    envelope.recipients.push_back({"a@example.org", "", ""});
    for (const MessageId id : {about, near, other}) empty.add(id, {}, envelope, {1, 64}, 100, {});
  }
  static std::string sealed(MessageId id) {
    std::string record = encode_event(RecordType::hold, id, {}, {});
    seal(record, generation, 0);
    return record;
  }
  void damage(MessageId id) { suspects.damaged(sealed(id), generation, true); }
  static std::vector<MessageId> held_after(const std::string& bytes) {
    Index fresh;
    fill(fresh);
    Suspects from_these;
    from_these.damaged(bytes, generation, true);
    return from_these.hold(fresh);
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

// Of a part of it nothing is left that says how long a record was, or whom it was about.
TEST_F(SuspectsTest, WhatDoesNotAccountForAllMayBeAboutAny) {
  const std::string record = sealed(other);
  std::string longer = record, nobody = record, garbled = record;
  store(&longer[length_at], static_cast<std::uint32_t>(record.size() + record_alignment));
  store(&nobody[id_at], std::uint64_t{0});
  store(&garbled[zero_at], std::uint16_t{1});
  EXPECT_THAT(held_after(record), ElementsAre(near, other));
  EXPECT_THAT(held_after(record + record), ElementsAre(near, other));
  for (const std::string& bytes :
       {record + std::string(64, '\0'), std::string(64, '\0') + record, std::string(8, '\0'), longer,
        record.substr(0, record.size() - record_alignment), record + nobody, garbled})
    EXPECT_THAT(held_after(bytes), ElementsAre(near, about, other));
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
