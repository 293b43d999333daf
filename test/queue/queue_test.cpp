// What the queue promises to accept, to send and to the operator, on a directory of the system.
#include "queue/queue.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "queue/queue_fixture.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;
using test::QueueFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;

class QueueTest : public QueueFixture {
 protected:
  // Lets the queue hand out what is due and notes it.
  void take_due() {
    queue->on_due([this](Shipment& message) { due.push_back(message.id.message()); });
    loop.run();
  }

  std::uintmax_t disk_use() const {
    std::uintmax_t total = 0;
    for (const auto& file : std::filesystem::recursive_directory_iterator(options.directory))
      if (file.is_regular_file()) total += file.file_size();
    return total;
  }

  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(options.directory + "/" + folder))
      names.push_back(file.path().filename());
    return names;
  }

  std::vector<MessageId> due;
};

TEST_F(QueueTest, AMessageIsThereAfterItsCommitAndAfterARestart) {
  const MessageId id = commit("Subject: a\r\n\r\nbody\r\n", {"b@example.org", "c@example.org"});
  EXPECT_EQ(queue->totals().waiting, 1U);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(recovery.set_aside, IsEmpty());
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(shipment(id).unsent, 2U);
  EXPECT_EQ(message(id).size, 20U);
  EXPECT_EQ(message(id).routing_sender, "a@example.org");
  const Content content = read(id);
  EXPECT_EQ(content.body, "Subject: a\r\n\r\nbody\r\n");
  EXPECT_EQ(content.envelope.sender, "a@example.org");
  ASSERT_EQ(content.envelope.recipients.size(), 2U);
  EXPECT_EQ(content.envelope.recipients[1].address, "c@example.org");
  EXPECT_THAT(content.recipients, ElementsAre(0, 1));
}

TEST_F(QueueTest, ADraftThatIsDroppedLeavesNothing) {
  { Draft draft = queue->draft(); }
  flush();
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

TEST_F(QueueTest, ADeliveredMessageIsGoneForGood) {
  const MessageId id = commit("x\r\n");
  settle(id, {delivered});
  EXPECT_EQ(queue->find(id), nullptr);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

TEST_F(QueueTest, EachRecipientKeepsItsOwnState) {
  const MessageId id = commit("x\r\n", {"a@example.org", "b@example.org", "c@example.org"});
  settle(id, {delivered, failed, pending});
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(shipment(id).unsent, 1U);
    EXPECT_EQ(shipment(id).attempts, 1);
    EXPECT_EQ(message(id).state, MessageState::waiting);
    EXPECT_EQ(shipment(id).due, loop.now() + 1h);
    EXPECT_THAT(look(id).states, ElementsAre(delivered, failed, pending));
    reopen();
  }
}

TEST_F(QueueTest, StatesOfAThousandRecipientsSurvive) {
  std::vector<RecipientState> states;
  for (int i = 0; i < 1000; ++i) states.push_back(i % 3 == 0 ? delivered : i % 3 == 1 ? pending : failed);
  const MessageId id = commit("x\r\n", std::vector<std::string>(1000, "a@example.org"));
  settle(id, states);
  reopen();
  EXPECT_EQ(shipment(id).unsent, 333U);
  EXPECT_EQ(look(id).states, states);
}

TEST_F(QueueTest, DueMessagesAreHandedOutOldestFirstAndOnlyOnce) {
  const MessageId first = commit("1\r\n");
  const MessageId second = commit("2\r\n");
  const MessageId third = commit("3\r\n");
  take_due();
  EXPECT_THAT(due, ElementsAre(first, second, third));
  EXPECT_EQ(queue->totals().ready, 3U);
  loop.advance(24h);
  EXPECT_EQ(due.size(), 3U);
}

TEST_F(QueueTest, ADeferredMessageComesBackInItsTime) {
  const MessageId id = commit("1\r\n");
  take_due();
  settle(id, {pending});
  loop.advance(59min);
  EXPECT_THAT(due, ElementsAre(id));
  loop.advance(1min);
  EXPECT_THAT(due, ElementsAre(id, id));
}

TEST_F(QueueTest, AReleasedMessageComesBackWithoutAnAttempt) {
  const MessageId id = commit("1\r\n");
  take_due();
  queue->release(shipment(id), loop.now() + 5s);
  loop.advance(5s);
  EXPECT_THAT(due, ElementsAre(id, id));
  EXPECT_EQ(shipment(id).attempts, 0);
}

TEST_F(QueueTest, NothingIsToDoForTheLoopWhileNothingIsDue) {
  const MessageId id = commit("1\r\n");
  take_due();
  settle(id, {delivered});
  loop.run();
  EXPECT_FALSE(loop.has_timers());
}

TEST_F(QueueTest, AClockThatWasSetBackDelaysNoMessageBeyondItsDelay) {
  const MessageId id = commit("1\r\n");
  settle(id, {pending});
  loop.set_wall(loop.wall_now() - std::chrono::days(30));
  reopen();
  EXPECT_EQ(shipment(id).due, loop.now() + 1h);
}

TEST_F(QueueTest, AClockThatWasSetForwardMakesItDueAtOnce) {
  const MessageId id = commit("1\r\n");
  settle(id, {pending});
  loop.set_wall(loop.wall_now() + std::chrono::days(30));
  reopen();
  EXPECT_EQ(shipment(id).due, loop.now());
}

TEST_F(QueueTest, IdsGrowEvenWhenTheClockWasSetBack) {
  const MessageId before = commit("1\r\n");
  loop.set_wall(loop.wall_now() - std::chrono::days(30));
  reopen();
  EXPECT_GT(commit("2\r\n"), before);
}

TEST_F(QueueTest, ALifetimeCountsAnewWhenItIsRenewedOrAFailedMessageIsTriedAgain) {
  const MessageId renewed = commit("1\r\n");
  const MessageId retried = commit("2\r\n");
  const WallTime begun = message(renewed).lives_from;
  settle(retried, {failed});
  loop.advance(10h);
  queue->renew(message(renewed));
  queue->retry(message(retried));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(message(renewed).accepted, begun);
    EXPECT_EQ(message(renewed).lives_from, begun + 10h);
    EXPECT_EQ(message(retried).lives_from, begun + 10h);
    reopen();
  }
}

// --- failed messages, operator ---

TEST_F(QueueTest, AFailedMessageIsKeptForItsTimeAndThenRemoved) {
  const MessageId id = commit("1\r\n");
  settle(id, {failed});
  EXPECT_EQ(message(id).state, MessageState::failed);
  loop.advance(10 * 24h);
  reopen();
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_EQ(read(id).body, "1\r\n");
  loop.advance(4 * 24h - 1s);
  EXPECT_EQ(queue->totals().failed, 1U);
  loop.advance(1s);
  EXPECT_EQ(queue->find(id), nullptr);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

TEST_F(QueueTest, AFailedMessageCanBeTriedAgain) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  settle(id, {delivered, failed});
  queue->retry(message(id));
  flush();
  for (int restart = 0; restart < 2; ++restart) {
    EXPECT_EQ(message(id).state, MessageState::waiting);
    EXPECT_EQ(shipment(id).unsent, 1U);
    EXPECT_EQ(shipment(id).due, loop.now());
    reopen();
  }
}

TEST_F(QueueTest, RetryLeavesTheFailedRecipientsOfAWaitingMessageAlone) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  settle(id, {failed, pending});
  queue->retry(message(id));
  flush();
  EXPECT_EQ(shipment(id).due, loop.now());
  EXPECT_THAT(look(id).states, ElementsAre(failed, pending));
  reopen();
  EXPECT_THAT(look(id).states, ElementsAre(failed, pending));
}

TEST_F(QueueTest, AHeldMessageWaitsForTheOperator) {
  const MessageId id = commit("1\r\n");
  queue->hold(message(id));
  flush();
  reopen();
  take_due();
  loop.advance(24h);
  EXPECT_THAT(due, IsEmpty());
  EXPECT_EQ(queue->totals().held, 1U);
  queue->retry(message(id));
  loop.run();
  EXPECT_THAT(due, ElementsAre(id));
}

TEST_F(QueueTest, OctetsAreCountedInTheStateOfTheirMessage) {
  const auto octets = [this](MessageState state) {
    return queue->totals().octets[static_cast<std::size_t>(state)].count;
  };
  const MessageId id = commit("12345\r\n");
  commit("1\r\n");
  const std::uint64_t all = octets(MessageState::waiting), of_one = message(id).size;
  EXPECT_GE(of_one, 7U);
  EXPECT_GE(all, of_one + 3);
  queue->hold(message(id));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(octets(MessageState::held), of_one);
    EXPECT_EQ(octets(MessageState::waiting), all - of_one);
    reopen();
  }
  queue->remove(message(id));
  flush();
  EXPECT_EQ(octets(MessageState::held), 0U);
  EXPECT_EQ(octets(MessageState::waiting), all - of_one);
}

TEST_F(QueueTest, AReadyMessageIsHeldWhenItIsGivenBack) {
  const MessageId first = commit("1\r\n");
  const MessageId second = commit("2\r\n");
  take_due();
  queue->hold(message(first));
  queue->hold(message(second));
  EXPECT_EQ(message(first).state, MessageState::ready);
  settle(first, {pending});
  queue->release(shipment(second), loop.now());
  EXPECT_EQ(queue->totals().held, 2U);
  reopen();
  EXPECT_EQ(queue->totals().held, 2U);
}

TEST_F(QueueTest, AReadyMessageIsRemovedWhenItIsGivenBack) {
  const MessageId first = commit("1\r\n");
  const MessageId second = commit("2\r\n");
  take_due();
  queue->remove(message(first));
  queue->remove(message(second));
  EXPECT_EQ(read(first).body, "1\r\n");
  settle(first, {pending});
  EXPECT_EQ(queue->find(first), nullptr);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

TEST_F(QueueTest, ARemovedMessageIsGoneForGood) {
  const MessageId id = commit("1\r\n");
  commit("2\r\n");
  queue->remove(message(id));
  flush();
  EXPECT_EQ(queue->find(id), nullptr);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
}

TEST_F(QueueTest, MessagesAreVisitedByIdAndMayBeRemovedMeanwhile) {
  for (int i = 0; i < 5; ++i) commit("1\r\n");
  std::vector<MessageId> seen;
  queue->for_each([&](Message& message) {
    seen.push_back(message.id());
    queue->remove(message);
  });
  EXPECT_EQ(seen.size(), 5U);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(queue->totals().waiting, 0U);
}

// --- large bodies ---

TEST_F(QueueTest, ALargeBodyIsAFileOfItsOwnUntilItIsDelivered) {
  const std::string body(300'000, 'x');
  const MessageId id = commit(body);
  reopen();
  const Content content = read(id);
  ASSERT_GE(content.file, 0);
  ASSERT_EQ(content.size, body.size());
  std::string stored(body.size(), '\0');
  EXPECT_EQ(::pread(content.file, stored.data(), stored.size(), 0), 300'000);
  EXPECT_EQ(stored, body);
  EXPECT_THAT(files("large"), ElementsAre(to_string(id)));
  settle_down();  // room is made ahead meanwhile
  const std::uint64_t used = queue->disk_use().files.count;
  EXPECT_GT(used, body.size());
  settle(id, {delivered});
  EXPECT_THAT(files("large"), IsEmpty());
  settle_down();
  EXPECT_EQ(used - queue->disk_use().files.count, body.size());
}

TEST_F(QueueTest, ALargeDraftThatIsDroppedLeavesNothing) {
  {
    Draft draft = queue->draft();
    draft.append(std::string(100'000, 'x'));
    test::run_task(draft.flush(), &loop);
    EXPECT_EQ(files("large").size(), 1U);
  }
  flush();
  EXPECT_THAT(files("large"), IsEmpty());
}

TEST_F(QueueTest, ALargeBodyThatNoMessageNamesIsRemovedAtTheStart) {
  queue.reset();
  std::ofstream(options.directory + "/large/0123456789a") << "left over";
  reopen();
  EXPECT_THAT(files("large"), IsEmpty());
}

TEST_F(QueueTest, AMessageWhoseLargeBodyIsMissingIsHeldAndReported) {
  const MessageId id = commit(std::string(300'000, 'x'));
  queue.reset();
  std::filesystem::remove(options.directory + "/large/" + to_string(id));
  reopen();
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("missing")));
}

TEST_F(QueueTest, ALargeBodyThatWasChangedIsNeverSent) {
  const MessageId id = commit(std::string(300'000, 'x'));
  {
    std::fstream file(options.directory + "/large/" + to_string(id), std::ios::in | std::ios::out);
    file.seekp(150'000);
    file << "y";
  }
  EXPECT_THROW(read(id), QueueError);
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("damaged")));
}

// --- the directory ---

TEST_F(QueueTest, ASecondProcessIsRefused) {
  disk::PosixDisk other_disk;
  Queue other(loop, workers, other_disk, options);
  try {
    other.open();
    FAIL();
  } catch (const QueueError& error) {
    EXPECT_EQ(error.kind(), QueueError::Kind::locked);
    EXPECT_THAT(error.what(), HasSubstr(options.directory));
  }
}

TEST_F(QueueTest, ADirectoryThatCannotBeMadeIsRefused) {
  options.directory = (directory.path() / "no" / "such" / "place").string();
  try {
    reopen();
    FAIL();
  } catch (const QueueError& error) {
    EXPECT_EQ(error.kind(), QueueError::Kind::broken);
    EXPECT_THAT(error.what(), HasSubstr(options.directory));
  }
}

TEST_F(QueueTest, AHistoryIsWholeHoweverFastThingsHappen) {
  const MessageId id = commit("1\r\n", {"a@b.example", "c@d.example"});
  for (std::uint32_t i = 0; i < 2; ++i) {
    Outcome slice;
    slice.recipients = {{i, i == 0 ? RecipientState::delivered : RecipientState::pending, 250, "2.0.0 ok"}};
    queue->settle(shipment(id), slice);
    queue->hold(message(id));
    queue->retry(message(id));
  }
  EXPECT_THAT(test::run_task(queue->history(message(id)), &loop), SizeIs(6));
  reopen();
  EXPECT_THAT(test::run_task(queue->history(message(id)), &loop), SizeIs(6));
}

TEST_F(QueueTest, NobodyElseMayReadTheDirectory) {
  commit(std::string(300'000, 'x'));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
    const auto others = std::filesystem::perms::group_all | std::filesystem::perms::others_all;
    EXPECT_EQ(entry.status().permissions() & others, std::filesystem::perms::none) << entry.path();
  }
}

TEST_F(QueueTest, FilesOfOthersInTheJournalAreReportedAndLeftAlone) {
  queue.reset();
  std::ofstream(options.directory + "/journal/notes.txt") << "hello";
  reopen();
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("notes.txt")));
  EXPECT_TRUE(std::filesystem::exists(options.directory + "/journal/notes.txt"));
}

// --- space ---

TEST_F(QueueTest, SpaceOfDeliveredMessagesComesBack) {
  for (int i = 0; i < 300; ++i) settle(commit(std::string(50'000, 'x')), {delivered});
  settle_down();
  EXPECT_LE(disk_use(), 16 * options.segment_size.count);
}

TEST_F(QueueTest, AFewOldMessagesDoNotHoldTheSpaceOfManyDeliveredOnes) {
  std::vector<MessageId> kept;
  for (int i = 0; i < 400; ++i) {
    const MessageId id =
        commit(fmt::format("{} {}", i, std::string(50'000, 'x')), {"a@example.org", "b@example.org"});
    if (i % 100 == 0) kept.push_back(id);
    settle(id, i % 100 == 0 ? std::vector{delivered, pending} : std::vector{delivered, delivered});
  }
  queue->hold(message(kept[1]));
  settle(kept[2], {delivered, failed});
  settle_down();
  EXPECT_LE(disk_use(), 16 * options.segment_size.count);
  reopen();
  ASSERT_EQ(recovery.messages, kept.size());
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_THAT(read(kept[i]).body, testing::StartsWith(std::to_string(i * 100) + " "));
  EXPECT_THAT(look(kept[0]).states, ElementsAre(delivered, pending));
  EXPECT_EQ(shipment(kept[0]).attempts, 1);
  EXPECT_EQ(shipment(kept[0]).due, loop.now() + 1h);
  EXPECT_EQ(message(kept[1]).state, MessageState::held);
  EXPECT_EQ(message(kept[2]).state, MessageState::failed);
}

TEST_F(QueueTest, AHundredStartsLeaveAsManyFilesAsOne) {
  const MessageId id = commit("kept\r\n");
  reopen();
  settle_down();
  reopen();
  const std::size_t segments = recovery.segments;
  const std::size_t messages = files("journal").size(), states = files("state").size();
  for (int i = 0; i < 300; ++i) {
    reopen();
    EXPECT_LE(recovery.segments, segments + 1);  // a file of the state log is full, now and then
    EXPECT_EQ(recovery.messages, static_cast<std::size_t>(i + 1));
    commit("another\r\n");
    settle_down();
  }
  reopen();
  EXPECT_LE(recovery.segments, segments + 1);
  EXPECT_EQ(files("journal").size(), messages);
  EXPECT_LE(files("state").size(), states + 2);  // three hundred messages want more room than one
  EXPECT_EQ(read(id).body, "kept\r\n");
}

}  // namespace
}  // namespace relayd::queue
