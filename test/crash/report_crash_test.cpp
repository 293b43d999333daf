// A report and its cause through a power cut at every call of the disk: what is owed is written once,
// whatever happens between the outcome, the report and the record that it was written.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "queue/queue.hpp"
#include "shared/async/workers.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::ManualLoop;

class ReportLife {
 public:
  explicit ReportLife(ForgettingDisk& disk) : disk_(disk) {}
  ~ReportLife() { stop(); }

  bool start() {
    Options options;
    options.directory = "queue";
    options.segment_size = 16_KiB;
    options.inline_limit = 6_KiB;
    options.reserve = 0_B;
    queue_ = std::make_unique<Queue>(loop_, workers_, disk_, options);
    queue_->on_due([](Shipment&) {});
    try {
      queue_->open();
    } catch (const QueueError&) {
      queue_.reset();
    }
    return queue_ != nullptr;
  }
  void stop() {
    queue_.reset();
    loop_.run();
  }

  // A message comes in and fails, is reported, and the report is delivered. Ends early without power.
  void run() {
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "a@example.org";
    envelope.recipients = {{"b@example.org", "", ""}};
    original_ = commit(envelope);
    if (disk_.dead()) return;
    acknowledged_ = true;
    settle(original_, RecipientState::failed, {0});
    flush();
    if (disk_.dead()) return;
    failed_ = true;
    write_reports();
    deliver_reports();
  }

  // What the relay does at a start and from then on.
  void go_on() {
    write_reports();
    deliver_reports();
  }

  void check() const {
    EXPECT_LE(reports_.size(), 1U) << "reported twice";
    if (failed_) {
      EXPECT_EQ(reports_.size(), 1U) << "not reported";
    }
    if (!acknowledged_) return;
    ASSERT_NE(queue_->find(original_), nullptr);
    EXPECT_EQ(queue_->find(original_)->state == MessageState::failed, !reports_.empty());
    EXPECT_EQ(queue_->debt(original_), nullptr) << "still owed";
  }

 private:
  async::Task<MessageId> commit_task(Envelope envelope) {
    Draft draft = queue_->draft();
    draft.append("text\r\n");
    const MessageId id = co_await queue_->commit(std::move(draft), envelope);
    co_return id;
  }
  MessageId commit(const Envelope& envelope) {
    async::Task<MessageId> task = commit_task(envelope);
    task.start();
    loop_.run_until([&] { return task.done(); });
    try {
      return task.result();
    } catch (const QueueError&) {
      return {};
    }
  }
  void flush() {
    async::Task<void> task = queue_->flush();
    task.start();
    loop_.run_until([&] { return task.done() || disk_.dead(); });
    if (!task.done()) queue_.reset();
  }
  void settle(MessageId id, RecipientState state, const std::vector<std::uint32_t>& owed) {
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.recipients.push_back({0, state, 250, "2.0.0 said"});
    queue_->settle(queue_->find(id)->first, outcome, 0, {.recipients = owed});
  }

  // As the reporter does: what it tells of is durable, and `told` follows the commit in the same turn.
  void write_reports() {
    if (!queue_ || disk_.dead() || !queue_->find(original_)) return;
    const Debt* const debt = queue_->debt(original_);
    if (!debt) return;
    const Debt owed = *debt;
    flush();
    if (!queue_ || disk_.dead()) return;
    Envelope envelope;
    envelope.recipients = {{"a@example.org", "NEVER", ""}};
    envelope.report = {to_string(original_), owed.recipients, 0, false};
    const MessageId report = commit(envelope);
    if (report == MessageId() || disk_.dead()) return;
    queue_->told(*queue_->find(original_), {owed, 0, to_string(report)});
  }

  // Each that is there leaves: its final dot is announced first, which a crash may come before or behind.
  void deliver_reports() {
    if (!queue_) return;
    for (const MessageId id : queue_->ids()) {
      if (id == original_ || !queue_ || disk_.dead()) continue;
      reports_.insert(id);
      Shipment& shipment = queue_->find(id)->first;
      const std::vector<std::uint32_t> all = {0};
      async::Task<void> task = queue_->mark_in_doubt(shipment, "office", all, loop_.wall_now());
      task.start();
      loop_.run_until([&] { return task.done() || disk_.dead(); });
      if (!task.done()) return queue_.reset();
      settle(id, RecipientState::delivered, {});
      flush();
    }
  }

  ForgettingDisk& disk_;
  ManualLoop loop_;
  async::Workers workers_{loop_, 1};
  std::unique_ptr<Queue> queue_;
  MessageId original_;
  bool acknowledged_ = false;
  bool failed_ = false;
  std::set<MessageId> reports_;
};

// `power`: what was not synced is lost, or a random part of it; else the process alone ends.
void cut_at(std::size_t call, unsigned how, bool& reached_end) {
  SCOPED_TRACE(fmt::format("call {}, {}", call, how));
  ForgettingDisk disk;
  ReportLife life(disk);
  ASSERT_TRUE(life.start());
  disk.arm(call, ForgettingDisk::Fault::power_fails);
  life.run();
  reached_end = !disk.dead();
  life.stop();
  if (how == 0)
    disk.revive();
  else
    disk.restart(how == 1 ? 0 : how);
  ASSERT_TRUE(life.start());
  life.go_on();
  life.check();
}

TEST(ReportCrash, WhatIsOwedIsReportedOnceWhereverTheProcessEnds) {
  for (const unsigned how : {0U, 1U, 77U, 78U}) {
    bool reached_end = false;
    for (std::size_t call = 1; !reached_end && call < 500; ++call) cut_at(call, how, reached_end);
    EXPECT_TRUE(reached_end);
  }
}

}  // namespace
}  // namespace relayd::queue
