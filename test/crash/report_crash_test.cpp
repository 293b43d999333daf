// What is owed of an outcome through a power cut at every call of the disk, whatever happens between the
// outcome, what is told of it, and the record that it was told: a report is written once; webhooks have an
// event, or the same again, and of nothing that did not last.
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

// What its message comes to, and what is owed of that.
struct End {
  RecipientState state;
  bool report;
  bool webhooks;
  bool webhooks_first = false;
};

class Life {
 public:
  Life(ForgettingDisk& disk, End end) : disk_(disk), end_(end) {
    disk.create("events")->write_at(0, std::string(1, '\0'));
    disk.open("events")->sync_data();
    disk.sync_directory(".");
  }
  ~Life() { stop(); }

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

  // A message comes in and ends, that is told, and a report of it is delivered. Ends early without power.
  void run() {
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "a@example.org";
    envelope.recipients = {{"b@example.org", "", ""}};
    original_ = commit(envelope);
    if (disk_.dead()) return;
    acknowledged_ = true;
    const std::vector<std::uint32_t> nobody, all = {0};
    settle(original_, end_.state,
           {.recipients = end_.report ? all : nobody, .events = end_.webhooks ? all : nobody});
    flush();
    if (disk_.dead()) return;
    ended_ = true;
    go_on();
  }

  // What the relay does at a start and from then on.
  void go_on() {
    if (end_.webhooks_first) write_events();
    write_reports();
    deliver_reports();
    write_events();
  }

  void check() const {
    EXPECT_LE(reports_.size(), 1U) << "reported twice";
    if (ended_) {
      EXPECT_EQ(reports_.size(), end_.report ? 1U : 0U);
      EXPECT_EQ(has_event(), end_.webhooks);
    }
    if (!acknowledged_) return;
    EXPECT_EQ(queue_->debt(original_), nullptr) << "still owed";
    const Message* const left = queue_->find(original_);
    const bool waits = left && !has_ended(left->state);
    EXPECT_EQ(!waits && end_.report, !reports_.empty());
    EXPECT_EQ(!waits && end_.webhooks, has_event());
    EXPECT_EQ(left != nullptr, waits || end_.state == RecipientState::failed);
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
  void settle(MessageId id, RecipientState state, const Debt& owed) {
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.recipients.push_back({0, state, 250, "2.0.0 said"});
    queue_->settle(queue_->find(id)->first, outcome, 0, owed);
  }

  // The file of a receiver: an event that is there again is the same one.
  void write_events() {
    if (!queue_ || disk_.dead() || !queue_->find(original_)) return;
    flush();
    if (!queue_ || disk_.dead()) return;
    const Debt* const debt = queue_->debt(original_);
    if (!debt || debt->events.empty()) return;
    const Debt owed{.events = debt->events};
    try {
      const std::unique_ptr<disk::File> file = disk_.open("events");
      file->write_at(0, std::string("1"));
      file->sync_data();
    } catch (const disk::DiskError&) {
      return;  // the power is gone
    }
    queue_->told(*queue_->find(original_), {owed, 0, {}});
    flush();
  }
  bool has_event() const {
    std::string event(1, '\0');
    disk_.open("events")->read_at(0, event.data(), 1);
    return event == "1";
  }

  // As the reporter does: what it tells of is durable, and `told` follows the commit in the same turn.
  void write_reports() {
    if (!queue_ || disk_.dead() || !queue_->find(original_)) return;
    const Debt* const debt = queue_->debt(original_);
    if (!debt || !debt->owes_report()) return;
    const Debt owed{.recipients = debt->recipients};
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
  End end_;
  ManualLoop loop_;
  async::Workers workers_{loop_, 1};
  std::unique_ptr<Queue> queue_;
  MessageId original_;
  bool acknowledged_ = false;
  bool ended_ = false;
  std::set<MessageId> reports_;
};

// `power`: what was not synced is lost, or a random part of it; else the process alone ends.
void cut_at(End end, std::size_t call, unsigned how, bool& reached_end) {
  SCOPED_TRACE(fmt::format("call {}, {}", call, how));
  ForgettingDisk disk;
  Life life(disk, end);
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

void cut_everywhere(End end) {
  for (const unsigned how : {0U, 1U, 77U, 78U}) {
    bool reached_end = false;
    for (std::size_t call = 1; !reached_end && call < 500; ++call) cut_at(end, call, how, reached_end);
    EXPECT_TRUE(reached_end);
  }
}

TEST(ReportCrash, WhatIsOwedIsReportedOnceWhereverTheProcessEnds) {
  cut_everywhere({RecipientState::failed, true, false});
  cut_everywhere({RecipientState::delivered, true, false});
}

TEST(ReportCrash, WebhooksHaveTheEventWhereverTheProcessEnds) {
  cut_everywhere({RecipientState::failed, false, true});
  cut_everywhere({RecipientState::delivered, false, true});
}

TEST(ReportCrash, AReportAndWebhooksAreBothToldWhereverTheProcessEnds) {
  for (const bool webhooks_first : {true, false}) {
    cut_everywhere({RecipientState::failed, true, true, webhooks_first});
    cut_everywhere({RecipientState::delivered, true, true, webhooks_first});
  }
}

}  // namespace
}  // namespace relayd::queue
