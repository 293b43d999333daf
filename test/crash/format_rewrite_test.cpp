// The rows of FORMAT.md's table about what the queue does for itself: messages that move, and old state that
// goes.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "crash/format_row.hpp"
#include "queue/index.hpp"

namespace relayd::queue {
namespace {

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr unsigned seeds = 4;  // 0: only what was synced stays, 1: all that was written; others: some of it

// Messages that stay while others come and go, until they move, and state that is recorded until it has to be
// summed up.
class FormatRewrite : public FormatRow {
 protected:
  static constexpr int most_steps = 40;

  void begin() {
    renew();
    stays_ = 0;
    places_.clear();
    kept_ = commit("kept\r\n", {"a@example.org", "b@example.org"});
    settle(kept_, {delivered, pending});
    doubt(kept_, "mailgun", {1});
    worn_ = commit("worn\r\n");
    settle_down();
  }

  void step() {
    const MessageId stays = commit("stays\r\n");
    ++stays_;
    places_.emplace_back(stays, place(stays));
    const MessageId id = commit(std::string(6'000, 'x'));
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "ok"}};
    queue->settle(shipment(id), outcome);
    outcome.recipients = {{0, pending, 450, std::string(500, 'x')}};
    for (int i = 0; i < 8; ++i) queue->settle(shipment(worn_), outcome);
    for (int i = 0; i < 3 && queue; ++i) {
      async::Task<void> durable = queue->flush();
      durable.start();
      loop.run_until([&] { return durable.done() || memory->dead(); });
      if (!durable.done()) queue.reset();  // before the task that it would wake
    }
  }

  const Entry& kept() { return entry_of(message(kept_)); }
  std::uint64_t place(MessageId id) { return entry_of(message(id)).where.segment; }
  bool has_moved() {
    return std::any_of(places_.begin(), places_.end(),
                       [this](const auto& known) { return place(known.first) != known.second; });
  }

  // Cuts the power in each call of the step in which `happens` becomes true, and demands all messages after
  // it.
  void cut_when(const std::function<bool()>& happens) {
    begin();
    int steps = 0;
    std::size_t before = memory->calls();
    for (; steps < most_steps && !happens(); ++steps) {
      before = memory->calls();
      step();
    }
    ASSERT_TRUE(happens());
    const std::size_t calls = memory->calls() - before;
    for (std::size_t call = 1; call <= calls; ++call)
      cut(steps - 1, call, static_cast<unsigned>(call % seeds));
  }

  void cut(int steps, std::size_t call, unsigned seed) {
    SCOPED_TRACE(fmt::format("after {} steps, call {}, seed {}", steps, call, seed));
    begin();
    for (int i = 0; i < steps; ++i) step();
    memory->arm(call, ForgettingDisk::Fault::power_fails);
    try {
      step();
    } catch (const QueueError&) {
      --stays_;  // Refused: the power was gone.
    }
    restart(seed);
    ASSERT_TRUE(queue->find(kept_));
    EXPECT_EQ(shipment(kept_).doubted, "mailgun");
    const Content content = look(kept_);
    EXPECT_EQ(content.body, "kept\r\n");
    EXPECT_EQ(content.states, (std::vector{delivered, RecipientState::doubtful}));
    EXPECT_GE(recovery.messages, 2U + stays_);
    EXPECT_LE(recovery.messages, 4U + stays_);  // two may have been under way
  }

  MessageId kept_;
  MessageId worn_;
  std::size_t stays_ = 0;
  std::vector<std::pair<MessageId, std::uint64_t>> places_;
};

TEST_F(FormatRewrite, Rows13To15AMessageThatMovesIsThereOnce) {
  cut_when([this] { return has_moved(); });
}

TEST_F(FormatRewrite, Rows16And17ACheckpointLosesNothing) {
  cut_when([this] { return kept().base != 0; });
}

TEST_F(FormatRewrite, Row17ASecondCheckpointLosesNothing) {
  std::uint64_t first = 0;
  cut_when([this, first]() mutable {
    if (first == 0) first = kept().base;
    return first != 0 && kept().base != first;
  });
}

}  // namespace
}  // namespace relayd::queue
