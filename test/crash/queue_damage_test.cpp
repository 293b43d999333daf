// A queue on disk that changed at any octet of any of its files, or of which any sector cannot be read: it
// opens all the same, what it sends is what was taken, what is missing or may be wrong is held and named.
//
// Of zeroes that nobody reads one octet in 64 is altered, of the others each second one, of the long queue
// one in 61.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crash/damage_fixture.hpp"

namespace relayd::queue {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t sector = 512;

TEST_F(DamageTest, AnyOctetThatChangesCostsAtMostTheMessageThatItIsPartOf) {
  fill();
  close();
  alter_every_octet(2);
}

TEST_F(DamageTest, AnyOctetOfALongQueueThatChangesCostsAtMostTheMessageThatItIsPartOf) {
  wear();
  close();
  alter_every_octet(61);
}

TEST_F(DamageTest, ASectorThatCannotBeReadCostsAtMostTheMessagesThatArePartOfIt) {
  wear();
  close();
  const Start sound = start();
  for (const std::string& path : files()) {
    const std::size_t size = contents(path).size();
    for (std::size_t at = 0; at < size; at += sector) {
      SCOPED_TRACE(fmt::format("{} {}", path, at));
      memory.fail_reads(path, at, at + sector);
      // A message of this queue takes 120 octets at least.
      compare(sound, start(), path.starts_with("journal/") ? sector / 120 + 2 : 0);
      memory.heal_reads();
      if (HasFailure()) return;
    }
  }
}

// Of a killed queue nothing proves the last batch of either log.
TEST_F(DamageTest, WhatIsBehindAnyOctetMayBeMissingAndWhatIsBeforeItIsKept) {
  for (const char* body : {"1\r\n", "2\r\n", "3\r\n"}) take(body);
  const std::string path = "journal/0000000000000001.journal";
  const std::string bytes = contents(path);
  const std::size_t end = bytes.find_last_not_of('\0') + 1;
  std::size_t before = 0;
  for (std::size_t length = segment_start; length <= end; ++length) {
    SCOPED_TRACE(length);
    const auto file = memory.open(path);
    file->write_at(0, bytes.substr(0, length) + std::string(bytes.size() - length, '\0'));
    const Start found = start();
    EXPECT_THAT(found.set_aside, IsEmpty());
    EXPECT_GE(found.messages.size(), before);
    before = found.messages.size();
    if (HasFailure()) return;
  }
  EXPECT_EQ(before, 3U);
}

TEST_F(DamageTest, AQueueThatWasDamagedGoesOnAndIsReadTheSameAgain) {
  fill();
  close();
  const std::string path = "state/0000000000000001.state";
  const std::string bytes = contents(path);
  const std::size_t end = bytes.find_last_not_of('\0');
  int rounds = 0;
  for (std::size_t at = segment_start + 3; at < end && memory.sizes().contains(path); at += 101) {
    SCOPED_TRACE(at);
    memory.damage(path, at);
    reopen();
    // In the end a checkpoint has let go of it.
    if (++rounds > 1 && recovery.set_aside.empty()) break;
    EXPECT_THAT(recovery.set_aside, Not(IsEmpty()));
    std::vector<MessageId> held;
    queue->for_each([&](Message& message) {
      if (message.state == MessageState::held) held.push_back(message.id());
    });
    const MessageId more = take("and it works\r\n");
    reopen();
    for (const MessageId id : held) EXPECT_EQ(message(id).state, MessageState::held);
    EXPECT_EQ(read(more).body, "and it works\r\n");
    close();
    if (memory.sizes().contains(path)) memory.damage(path, at);
  }
}

TEST_F(DamageTest, AFileWithoutAnyHeaderIsSetAside) {
  fill();
  close();
  const Start sound = start();
  for (const std::string& path : files()) {
    SCOPED_TRACE(path);
    if (contents(path)[0] == '\0') continue;  // never used
    for (const std::size_t header : {0, 4096}) memory.damage(path, header);
    const Start found = start();
    EXPECT_THAT(found.set_aside, Contains(HasSubstr("header is damaged")));
    compare(sound, found, path.starts_with("journal/") ? sound.messages.size() : 0);
    for (const std::size_t header : {0, 4096}) memory.damage(path, header);
  }
}

TEST_F(DamageTest, ALargeBodyThatChangedIsHeldAndNeverSent) {
  for (const std::size_t at : {0UL, 19'999UL}) {
    const MessageId large = take(std::string(20'000, 'x'));
    memory.damage("large/" + to_string(large), at);
    reopen();
    EXPECT_THROW(read(large), QueueError);
    EXPECT_EQ(message(large).state, MessageState::held);
    EXPECT_THAT(troubles, Contains(HasSubstr(to_string(large))));
  }
}

TEST_F(DamageTest, ALargeBodyThatIsMissingIsHeldAndNamed) {
  const MessageId large = take(std::string(20'000, 'x'));
  close();
  memory.remove("large/" + to_string(large));
  reopen();
  EXPECT_EQ(message(large).state, MessageState::held);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr(to_string(large))));
}

TEST_F(DamageTest, AFileThatIsNotOursIsNamedAndLeftAlone) {
  fill();
  for (const std::string path : {"journal/core", "journal/0000000000000001.journal~", "state/1.state",
                                 "state/0000000000000000.state", "journal/0000000000000001.state"}) {
    memory.create(path)->write_at(0, "whatever");
    reopen();
    EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr(path)));
    EXPECT_EQ(contents(path), "whatever");
    memory.remove(path);
  }
}

}  // namespace
}  // namespace relayd::queue
