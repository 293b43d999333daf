// Every crash of FORMAT.md: a small life of a queue, cut or disturbed at each call that changes the disk,
// then looked at after a restart.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "shared/async/workers.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::ManualLoop;
using test::run_task;

// What a client or an operator knows of a message.
struct Told {
  std::string body;
  bool acknowledged = false;  // commit() returned
  bool refused = false;       // commit() threw
  bool settled = false;       // a final outcome was handed in
  bool gone = false;          // and flush() returned after it
  bool half = false;          // the first of two recipients was delivered, and flush() returned after it
};

std::string body_of(std::size_t number, std::size_t size) {
  std::string body = fmt::format("Subject: {}\r\n\r\n", number);
  while (body.size() < size) body += fmt::format("line {} of message {}\r\n", body.size(), number);
  return body;
}

class Life {
 public:
  explicit Life(ForgettingDisk& disk) : disk_(disk) {}

  // Runs to its end, or until the disk has no power.
  void run() {
    if (!start()) return;
    commit({"a"}, 700);
    commit({"b", "c"}, 3000);
    drop_large();
    commit({"d"}, 40'000);
    settle(0, {RecipientState::delivered});
    settle(1, {RecipientState::delivered, RecipientState::pending});
    for (int i = 0; i < 6 && !disk_.dead(); ++i) commit({"e"}, 5000);
    mark_in_doubt(4);
    settle(3, {RecipientState::failed});
    settle(2, {RecipientState::delivered});  // the large one
    for (std::size_t i = 4; i < 8; ++i) settle(i, {RecipientState::delivered});
    for (int i = 0; i < 12 && !disk_.dead(); ++i) {
      commit({"f"}, 5000);
      settle(told_ids_.size() - 1, {RecipientState::delivered});
    }
    finish();
  }

  // Looks at what a restart finds.
  void check(bool power_cut) {
    loop_.advance(std::chrono::seconds(1));  // so that no id is given out twice
    ASSERT_TRUE(start());
    EXPECT_THAT(recovery_.set_aside, testing::IsEmpty());
    std::set<MessageId> found;
    queue_->for_each([&](Message& message) { found.insert(message.id); });
    for (const auto& [id, told] : told_) {
      const bool there = found.erase(id) == 1;
      const bool refused = told.refused && !power_cut;
      EXPECT_TRUE(there || told.settled || !told.acknowledged) << "lost: " << to_string(id);
      EXPECT_FALSE(there && told.gone) << "back from the dead: " << to_string(id);
      EXPECT_FALSE(there && refused) << "refused, yet there: " << to_string(id);
      if (there) check_content(id, told);
    }
    EXPECT_TRUE(found.empty()) << "out of nothing";
    // And it works again.
    const std::size_t before = told_ids_.size();
    commit({"z"}, 100);
    ASSERT_EQ(told_ids_.size(), before + 1);
    EXPECT_TRUE(told_[told_ids_.back()].acknowledged);
    stop();
  }

 private:
  bool start() {
    Options options;
    options.directory = "queue";
    options.segment_size = 16_KiB;
    options.inline_limit = 16_KiB;
    options.reserve = 0_B;
    queue_ = std::make_unique<Queue>(loop_, workers_, disk_, options);
    try {
      recovery_ = queue_->open();
      return true;
    } catch (const QueueError&) {
      queue_.reset();
      return false;
    }
  }

  void stop() {
    queue_.reset();
    loop_.run();
  }

  async::Task<MessageId> commit_task(Draft draft, std::string body, Envelope envelope) {
    const bool full = draft.append(body);
    if (full) co_await draft.flush();
    const MessageId id = co_await queue_->commit(std::move(draft), std::move(envelope));
    co_return id;
  }

  void commit(const std::vector<std::string>& recipients, std::size_t size) {
    if (!queue_) return;
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "sender@example.org";
    for (const std::string& address : recipients) envelope.recipients.push_back({address, "", ""});
    Draft draft = queue_->draft();
    const MessageId id = draft.id();
    Told& told = told_[id];
    told_ids_.push_back(id);
    told.body = body_of(told_ids_.size(), size);
    try {
      run_task(commit_task(std::move(draft), told.body, std::move(envelope)), &loop_);
      told.acknowledged = true;
    } catch (const QueueError&) {
      told.refused = true;
    }
  }

  void drop_large() {
    if (!queue_) return;
    Draft draft = queue_->draft();
    draft.append(std::string(40'000, 'x'));
    try {
      run_task(draft.flush(), &loop_);
    } catch (const QueueError&) {
      // Dropped all the same.
    }
  }

  // Null when it is gone or never was.
  Message* message_of(std::size_t number) {
    return queue_ && number < told_ids_.size() ? queue_->find(told_ids_[number]) : nullptr;
  }

  // The facts of a disk without power are never durable: waits for one or the other.
  bool wait(async::Task<void> task) {
    task.start();
    loop_.run_until([&] { return task.done() || disk_.dead(); });
    if (task.done()) return true;
    stop();
    return false;
  }

  void settle(std::size_t number, const std::vector<RecipientState>& states) {
    Message* const message = message_of(number);
    if (!message) return;
    Told& told = told_[message->id];
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::minutes(1);
    for (std::uint32_t i = 0; i < states.size(); ++i) outcome.recipients.push_back({i, states[i], 250, "ok"});
    queue_->settle(*message, outcome);
    told.settled = states == std::vector{RecipientState::delivered};
    if (!wait(queue_->flush())) return;
    told.gone = told.settled;
    told.half = states.size() == 2;
  }

  void mark_in_doubt(std::size_t number) {
    Message* const message = message_of(number);
    if (message && wait(queue_->mark_in_doubt(*message, "mailgun"))) doubtful_ = message->id;
  }

  void finish() {
    if (queue_) wait(queue_->flush());
    stop();
  }

  void check_content(MessageId id, const Told& told) {
    Message* const message = queue_->find(id);
    const Content content = run_task(queue_->read(*message), &loop_);
    EXPECT_EQ(content.body, told.body);
    EXPECT_TRUE(!told.half || content.states.front() == RecipientState::delivered);
    EXPECT_TRUE(message->in_doubt || told.settled || id != doubtful_);
  }

  ForgettingDisk& disk_;
  ManualLoop loop_;
  async::Workers workers_{loop_, 1};
  std::unique_ptr<Queue> queue_;
  Recovery recovery_;
  std::map<MessageId, Told> told_;
  std::vector<MessageId> told_ids_;
  std::optional<MessageId> doubtful_;
};

std::size_t calls_of_a_life() {
  ForgettingDisk disk;
  Life(disk).run();
  return disk.calls();
}

constexpr std::nullopt_t process_only = std::nullopt;  // the machine goes on

void live_with(ForgettingDisk::Fault fault, int error, std::optional<unsigned> seed) {
  const std::size_t calls = calls_of_a_life();
  ASSERT_GT(calls, 80U);
  for (std::size_t call = 1; call <= calls; ++call) {
    SCOPED_TRACE(fmt::format("call {} of {}, seed {}", call, calls, seed ? std::to_string(*seed) : "none"));
    ForgettingDisk disk;
    Life life(disk);
    disk.arm(call, fault, error);
    life.run();
    seed ? disk.restart(*seed) : disk.revive();
    life.check(fault == ForgettingDisk::Fault::power_fails);
    // What was believed after a kill must still be there when the power goes as well.
    disk.restart(0);
    life.check(fault == ForgettingDisk::Fault::power_fails);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Crash, APowerCutThatKeepsOnlyWhatWasSyncedLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, 0);
}
TEST(Crash, APowerCutThatKeepsAllThatWasWrittenLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, 1);
}
TEST(Crash, APowerCutThatTearsWhatWasNotSyncedLosesNothing) {
  for (unsigned seed = 2; seed < 6 && !testing::Test::HasFailure(); ++seed)
    live_with(ForgettingDisk::Fault::power_fails, EIO, seed);
}
TEST(Crash, AKillLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, process_only);
}
TEST(Crash, AnErrorIsSurvivedAndNeverTrusted) {
  live_with(ForgettingDisk::Fault::fails_once, EIO, 0);
  live_with(ForgettingDisk::Fault::fails_once, EIO, process_only);
}
TEST(Crash, AFullDiskIsSurvived) {
  live_with(ForgettingDisk::Fault::fails_once, ENOSPC, process_only);
}

}  // namespace
}  // namespace relayd::queue
