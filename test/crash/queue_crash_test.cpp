// Every crash of FORMAT.md: a small life of a queue, cut or disturbed at each call that changes the disk,
// then looked at after three restarts; and a longer one, in which files are used again, messages move and
// checkpoints are taken, cut at a sample of its calls (with fixed seeds: all of them take minutes).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
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
    stop();
    if (!start()) return;
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

  // The same until every file of both logs has been used again, and what lives has moved.
  void run_long() {
    if (!start()) return;
    commit({"b", "c"}, 600);
    stop();
    if (!start()) return;
    commit({"a"}, 40'000);
    settle(0, {RecipientState::delivered, RecipientState::pending});
    for (int i = 0; i < 10 && !disk_.dead(); ++i) {
      commit_together({"stays"}, 300, i % 3 + 1);
      commit({"goes"}, 6'500);
      settle(told_ids_.size() - 1, {RecipientState::delivered});
      if (i == 2) mark_in_doubt(2);
      if (i == 5) remove_while_out(3);
      defer(0, 12);
    }
    for (int i = 0; i < 3 && !disk_.dead(); ++i) defer(0, 14);
    finish();
  }

  // Looks at what a restart finds.
  void check(bool power_cut) {
    loop_.advance(std::chrono::seconds(1));  // so that no id is given out twice
    ASSERT_TRUE(start());
    EXPECT_THAT(recovery_.set_aside, testing::IsEmpty());
    std::set<MessageId> found;
    queue_->for_each([&](Message& message) { found.insert(message.id()); });
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
    commit_together(recipients, size, 1);
  }

  // In one turn of the loop, so that they share a batch.
  void commit_together(const std::vector<std::string>& recipients, std::size_t size, int count) {
    if (!queue_) return;
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "sender@example.org";
    for (const std::string& address : recipients) envelope.recipients.push_back({address, "", ""});
    std::vector<std::pair<MessageId, async::Task<MessageId>>> clients;
    for (int i = 0; i < count; ++i) {
      Draft draft = queue_->draft();
      const MessageId id = draft.id();
      told_ids_.push_back(id);
      told_[id].body = body_of(told_ids_.size(), size);
      clients.emplace_back(id, commit_task(std::move(draft), told_[id].body, envelope));
    }
    for (auto& [id, task] : clients) task.start();
    for (auto& [id, task] : clients) {
      loop_.run_until([&task] { return task.done(); });
      try {
        task.result();
        told_[id].acknowledged = true;
      } catch (const QueueError&) {
        told_[id].refused = true;
      }
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
    Told& told = told_[message->id()];
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::minutes(1);
    for (std::uint32_t i = 0; i < states.size(); ++i) outcome.recipients.push_back({i, states[i], 250, "ok"});
    queue_->settle(message->first, outcome);
    told.settled = states == std::vector{RecipientState::delivered};
    if (!wait(queue_->flush())) return;
    told.gone = told.settled;
    told.half = states.size() == 2;
  }

  // Outcomes that share a batch, as many as there is room for in some two files of the state log.
  void defer(std::size_t number, int times) {
    Message* const message = message_of(number);
    if (!message) return;
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::minutes(1);
    outcome.recipients = {{1, RecipientState::pending, 450, std::string(500, 'x')}};
    for (int i = 0; i < times; ++i) queue_->settle(message->first, outcome);
    wait(queue_->flush());
  }

  // Somebody has it meanwhile, and never gives it back.
  void remove_while_out(std::size_t number) {
    Message* const message = message_of(number);
    if (!message) return;
    queue_->on_due([](Shipment&) {});
    loop_.run();
    queue_->on_due({});
    told_[message->id()].settled = true;
    queue_->remove(*message);
    told_[message->id()].gone = wait(queue_->flush());
  }

  void mark_in_doubt(std::size_t number) {
    Message* const message = message_of(number);
    static constexpr std::uint32_t first[] = {0};
    if (!message) return;
    const WallTime next = loop_.wall_now() + std::chrono::minutes(1);
    if (wait(queue_->mark_in_doubt(message->first, "mailgun", first, next))) doubtful_ = message->id();
  }

  // A few rounds, so that the queue does what it has to do for itself, too.
  void finish() {
    for (int i = 0; i < 3 && queue_; ++i) wait(queue_->flush());
    stop();
  }

  void check_content(MessageId id, const Told& told) {
    Message* const message = queue_->find(id);
    const Content content = run_task(queue_->look(*message), &loop_);
    EXPECT_EQ(content.body, told.body);
    EXPECT_TRUE(!told.half || content.states.front() == RecipientState::delivered);
    EXPECT_TRUE(message->in_doubt() || told.settled || id != doubtful_);
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

using Course = void (Life::*)();

std::size_t calls_of(Course course) {
  ForgettingDisk disk;
  Life life(disk);
  (life.*course)();
  return disk.calls();
}

constexpr std::nullopt_t process_only = std::nullopt;  // the machine goes on

// A life with a fault at that call, and what is found after it.
void live(Course course, std::size_t call, ForgettingDisk::Fault fault, int error,
          std::optional<unsigned> seed) {
  ForgettingDisk disk;
  Life life(disk);
  disk.arm(call, fault, error);
  (life.*course)();
  seed ? disk.restart(*seed) : disk.revive();
  life.check(fault == ForgettingDisk::Fault::power_fails);
  // What was believed after a kill must still be there when the power goes as well.
  disk.restart(0);
  life.check(fault == ForgettingDisk::Fault::power_fails);
}

void live_with(ForgettingDisk::Fault fault, int error, std::optional<unsigned> seed, std::size_t step) {
  const std::size_t calls = calls_of(&Life::run);
  ASSERT_GT(calls, 80U);
  for (std::size_t call = 1 + (seed ? *seed : 0) % step; call <= calls; call += step) {
    SCOPED_TRACE(fmt::format("call {} of {}, seed {}", call, calls, seed ? std::to_string(*seed) : "none"));
    live(&Life::run, call, fault, error, seed);
    if (testing::Test::HasFailure()) return;
  }
}

// A sample, each time with another choice of what survives.
void live_long_with(ForgettingDisk::Fault fault, int error, bool power_cut) {
  constexpr int samples = 25;
  const std::size_t calls = calls_of(&Life::run_long);
  ASSERT_GT(calls, 200U);
  std::mt19937 random(power_cut);
  for (int i = 0; i < samples; ++i) {
    const std::size_t call = 1 + random() % calls;
    const std::optional<unsigned> seed =
        power_cut ? std::optional(static_cast<unsigned>(random())) : process_only;
    SCOPED_TRACE(fmt::format("call {} of {}, seed {}", call, calls, seed ? std::to_string(*seed) : "none"));
    live(&Life::run_long, call, fault, error, seed);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Crash, APowerCutThatKeepsOnlyWhatWasSyncedLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, 0, 3);
}
TEST(Crash, APowerCutThatKeepsAllThatWasWrittenLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, 1, 10);
}
TEST(Crash, APowerCutThatTearsWhatWasNotSyncedLosesNothing) {
  for (unsigned seed = 2; seed < 6 && !testing::Test::HasFailure(); ++seed)
    live_with(ForgettingDisk::Fault::power_fails, EIO, seed, 10);
}
TEST(Crash, AKillLosesNothing) {
  live_with(ForgettingDisk::Fault::power_fails, EIO, process_only, 3);
}
TEST(Crash, AnErrorIsSurvivedAndNeverTrusted) {
  live_with(ForgettingDisk::Fault::fails_once, EIO, 0, 10);
  live_with(ForgettingDisk::Fault::fails_once, EIO, process_only, 10);
}
TEST(Crash, AFullDiskIsSurvived) {
  live_with(ForgettingDisk::Fault::fails_once, ENOSPC, process_only, 10);
}

TEST(Crash, APowerCutWhileFilesAreUsedAgainLosesNothing) {
  live_long_with(ForgettingDisk::Fault::power_fails, EIO, true);
}
TEST(Crash, AKillWhileFilesAreUsedAgainLosesNothing) {
  live_long_with(ForgettingDisk::Fault::power_fails, EIO, false);
}
TEST(Crash, AnErrorWhileFilesAreUsedAgainIsSurvived) {
  live_long_with(ForgettingDisk::Fault::fails_once, EIO, true);
  live_long_with(ForgettingDisk::Fault::fails_once, ENOSPC, false);
}

}  // namespace
}  // namespace relayd::queue
