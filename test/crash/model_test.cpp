// The queue against a model: long random sequences of what clients, upstreams, operators, power and kills do,
// and a few lines of obvious code that say what must be there afterwards.
//
// The suite runs two thousand seeds, and fewer under AddressSanitizer, where each takes long;
// RELAYD_MODEL_SEEDS=1000000 runs so many, and RELAYD_MODEL_SEED=N that one.
#include "crash/model.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "queue/index.hpp"
#include "queue/queue.hpp"
#include "shared/async/workers.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;
using test::ForgettingDisk;
using test::ManualLoop;

#ifdef __SANITIZE_ADDRESS__
constexpr unsigned usual_seeds = 300;
#else
constexpr unsigned usual_seeds = 2000;
#endif

using namespace model;

class Play {
 public:
  explicit Play(unsigned seed) : random_(seed) { disk_.shake(); }

  void run() {
    start();
    const int operations = 60 + pick(100);
    for (int i = 0; i < operations && !testing::Test::HasFailure(); ++i) operate();
    if (!testing::Test::HasFailure()) restart_in_order();
    stop();
  }

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  // --- the queue's life ---

  void start() {
    Options options;
    options.directory = "queue";
    options.segment_size = 16_KiB;
    options.inline_limit = 6_KiB;
    options.reserve = 0_B;
    queue_ = std::make_unique<Queue>(loop_, workers_, disk_, options);
    queue_->on_due([this](Shipment& shipment) {
      Ready& ready = model_.at(shipment.id.message()).ready[shipment.id];
      ready = {};
      ready.recipients = recipients_of(shipment);
    });
    try {
      recovery_ = queue_->open();
    } catch (const QueueError&) {
      EXPECT_TRUE(disk_.dead());
      queue_.reset();
    }
  }

  void stop() {
    queue_.reset();
    loop_.run();
  }

  void restart_in_order() {
    stop();
    for (auto& [id, message] : model_) message.since = {message.now};
    start_and_compare();
  }

  // The power fails, or the process is killed, somewhere in what comes next; then in the start, perhaps.
  void crash() {
    disk_.arm(1 + static_cast<std::size_t>(pick(30)), ForgettingDisk::Fault::power_fails);
    for (int i = 0; i < 12 && !disk_.dead(); ++i) operate_once();
    for (int again = pick(3); again >= 0; --again) {
      stop();
      come_up();
      if (again == 0) break;
      disk_.arm(1 + static_cast<std::size_t>(pick(20)), ForgettingDisk::Fault::power_fails);
      start();
      loop_.run();
    }
    start_and_compare();
  }

  void come_up() {
    const int kind = pick(3);
    torn_ |= kind == 2;
    if (kind == 0)
      disk_.revive();
    else
      disk_.restart(kind == 1 ? 0 : random_());
  }

  void start_and_compare() {
    for (auto& [id, message] : model_) message.ready.clear();
    if (!queue_) start();
    ASSERT_TRUE(queue_);
    EXPECT_THAT(recovery_.set_aside, testing::IsEmpty());
    std::set<MessageId> found;
    for (const MessageId id : queue_->ids()) found.insert(id);
    for (auto& [id, message] : model_) {
      message.has_gap |= torn_;
      const Snapshot actual = found.erase(id) == 1 ? look(*queue_->find(id), message) : gone();
      message.since.push_back(message.now);
      if (!torn_ || !is_mixture(actual, message.since))
        EXPECT_THAT(message.since, testing::Contains(actual)) << to_string(id) << " is " << actual;
      message.now = actual;
      message.since.clear();
    }
    torn_ = false;
    EXPECT_THAT(found, testing::IsEmpty()) << "out of nothing";
    std::erase_if(model_, [](const auto& entry) { return !entry.second.now.there; });
  }

  // Of what was not durable a power cut may keep the later part without the earlier one: then each part of
  // what is found is from something that was. A doubt about all who still waited is, without the outcome
  // before it, about more of them; and an outcome that is lost takes nothing back that was counted.
  static bool is_mixture(const Snapshot& actual, const std::vector<Snapshot>& since) {
    const auto any = [&since](const auto& fits) { return std::any_of(since.begin(), since.end(), fits); };
    if (!any([&](const Snapshot& was) { return was.there == actual.there; })) return false;
    const bool had_doubt = any([&](const Snapshot& was) { return was.has(doubtful); });
    for (std::size_t i = 0; i < actual.fates.size(); ++i)
      if (!(had_doubt && actual.fates[i].state == doubtful) &&
          !any([&](const Snapshot& was) { return was.there && was.fates[i].state == actual.fates[i].state; }))
        return false;
    const auto lost = static_cast<int>(since.size());
    return any([&](const Snapshot& was) {
             return was.most(&Fate::attempts) + lost >= actual.most(&Fate::attempts);
           }) &&
           any([&](const Snapshot& was) {
             return was.most(&Fate::doubts) + lost >= actual.most(&Fate::doubts);
           });
  }

  static Snapshot gone() {
    Snapshot snapshot;
    snapshot.there = false;
    return snapshot;
  }

  static std::vector<std::uint32_t> recipients_of(const Shipment& shipment) {
    return entry_of(shipment).recipients_of(shipment);
  }

  Snapshot look(Message& message, const Modelled& modelled) {
    const Content content = test::run_task(queue_->look(message), &loop_);
    EXPECT_EQ(content.body, modelled.body);
    if (!modelled.has_gap) expect_replies(message, content);
    Snapshot found;
    for (const RecipientState state : content.states) found.fates.push_back({state});
    if (const Debt* const debt = queue_->debt(message.id())) add(found, *debt);
    if (has_ended(message.state)) found.attempts_at_end = message.attempts();
    message.for_each_shipment([&found](Shipment& shipment) {
      for (const std::uint32_t each : recipients_of(shipment)) {
        Fate& fate = found.fates[each];
        fate = {fate.state,        shipment.state == MessageState::held,
                shipment.attempts, shipment.doubts,
                fate.owed,         fate.event};
        EXPECT_EQ(fate.state == doubtful, shipment.in_doubt()) << "a doubt is of a whole shipment";
      }
    });
    return found;
  }

  static void add(Snapshot& found, const Debt& debt) {
    for (const std::uint32_t each : debt.recipients) found.fates.at(each).owed = true;
    for (const std::uint32_t each : debt.events) found.fates.at(each).event = true;
  }

  // Whoever has an end has the reply that was it, as far back as the history has no gap.
  void expect_replies(Message& message, const Content& content) {
    std::set<std::uint32_t> told;
    for (const HistoryEvent& event : test::run_task(queue_->history(message), &loop_))
      for (const RecipientOutcome& outcome : event.outcome.recipients)
        if (outcome.code != 0) told.insert(outcome.recipient);
    for (std::uint32_t i = 0; i < content.states.size(); ++i)
      if (content.states[i] == delivered || content.states[i] == failed)
        EXPECT_TRUE(told.contains(i)) << to_string(message.id()) << " recipient " << i;
  }

  // --- operations ---

  void operate() {
    const int what = pick(40);
    if (what == 0) return restart_in_order();
    if (what == 1) return crash();
    operate_once();
  }

  void operate_once() {
    if (!queue_) return;
    const int what = pick(24);
    if (what < 7) return accept();
    if (what == 7) return flush();
    if (what == 8) return loop_.advance(std::chrono::minutes(pick(90)));
    if (what == 9) return void(loop_.run());
    Modelled* const message = any();
    if (!message || (!message->now.there && message->ready.empty())) return;
    Message& entry = *queue_->find(current_);
    if (!message->ready.empty() && (what < 20 || !message->now.there)) {
      auto has = message->ready.begin();
      std::advance(has, pick(static_cast<int>(message->ready.size())));
      Shipment* const shipment = queue_->find(has->first);
      ASSERT_TRUE(shipment) << to_string(current_) << " shipment " << has->first.number();
      return act_as_relay(*shipment, *message, has->second, what);
    }
    act_as_operator(entry, *message, what);
  }

  Modelled* any() {
    if (model_.empty()) return nullptr;
    auto place = model_.lower_bound(MessageId{first_id_ + random_() % (last_id_ - first_id_ + 1)});
    if (place == model_.end()) place = model_.begin();
    current_ = place->first;
    return &place->second;
  }

  void change(Modelled& message, const Snapshot& to) {
    message.since.push_back(message.now);
    message.now = to;
  }

  void accept() {
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "sender@example.org";
    envelope.recipients.resize(static_cast<std::size_t>(1 + pick(3)), {"b@example.org", "", ""});
    accept(std::move(envelope), pick(10) == 0);
  }

  void accept(Envelope envelope, bool held) {
    const std::size_t size = pick(8) == 0 ? 9'000 : static_cast<std::size_t>(pick(5'000));
    Draft draft = queue_->draft();
    const MessageId id = draft.id();
    if (first_id_ == 0) first_id_ = id.value;
    last_id_ = id.value;
    Modelled& message = model_[id];
    message.body = fmt::format("{} ", to_string(id)) + std::string(size, static_cast<char>('a' + pick(26)));
    message.now.fates.assign(envelope.recipients.size(), {pending, held});
    message.since = {gone()};
    async::Task<MessageId> task = commit(std::move(draft), message.body, std::move(envelope), held);
    task.start();
    loop_.run_until([&] { return task.done(); });
    try {
      task.result();
      message.since.clear();  // it was answered
    } catch (const QueueError&) {
      EXPECT_TRUE(disk_.dead());  // nobody was told anything
    }
  }

  async::Task<MessageId> commit(Draft draft, std::string body, Envelope envelope, bool held) {
    const bool full = draft.append(body);
    if (full) co_await draft.flush();
    const MessageId id = co_await queue_->commit(std::move(draft), envelope, held);
    co_return id;
  }

  // True when it came to its end.
  bool wait(async::Task<void> task) {
    task.start();
    loop_.run_until([&] { return task.done() || disk_.dead(); });
    if (task.done()) return true;
    queue_.reset();  // before the task that it would wake
    return false;
  }

  void flush() {
    if (!wait(queue_->flush())) return;
    for (auto& [id, message] : model_) message.since.clear();
  }

  void act_as_relay(Shipment& shipment, Modelled& message, Ready& ready, int what) {
    if (what < 12) return give_back(shipment, message);
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::minutes(pick(60));
    outcome.upstream = "office";
    if (!message.now.there) {  // it was deleted meanwhile
      message.ready.erase(shipment.id);
      return queue_->settle(shipment, outcome);
    }
    if (what < 14 && !ready.open) return announce_doubt(shipment, message, ready);
    Snapshot after = message.now;
    const bool is_part = pick(4) == 0;
    for (const std::uint32_t i : ready.recipients) {
      if (is_part && !ready.marked.contains(i) && !outcome.recipients.empty()) continue;
      const int what_became = pick(8);
      const RecipientState state = what_became < 4   ? delivered
                                   : what_became < 5 ? failed
                                   : what_became < 7 ? pending
                                                     : doubtful;
      outcome.recipients.push_back({i, state, 250, "2.0.0 what was said"});
    }
    settled(message, after, shipment, ready, outcome);
  }

  // Whom the outcome names has had an attempt; who is left in doubt shares what doubt there was.
  void settled(Modelled& message, Snapshot after, Shipment& shipment, const Ready& ready,
               const Outcome& outcome) {
    const Fate first = message.now.fates[ready.recipients.front()];
    const int attempts = (ready.open ? ready.attempts : first.attempts) + 1;
    const int before = ready.open ? ready.doubts : first.doubts;
    Debt owed;
    for (const RecipientOutcome& each : outcome.recipients) {
      Fate& fate = after.fates[each.recipient];
      fate.state = each.state;
      fate.attempts = attempts;
      const int doubts = ready.marked.contains(each.recipient) ? before + 1 : std::max(1, before);
      fate.doubts = each.state == doubtful ? doubts : 0;
      if (fate.waits()) continue;
      fate = {each.state};
      fate.owed = pick(3) == 0;
      fate.event = pick(3) == 0;
      if (fate.owed) owed.recipients.push_back(each.recipient);
      if (fate.event) owed.events.push_back(each.recipient);
    }
    if (after.has_ended()) after.attempts_at_end = attempts;
    const ShipmentId id = shipment.id;
    queue_->settle(shipment, outcome, 0, owed);
    message.ready.erase(id);
    change(message, after.is_over() ? gone() : after);
  }

  void give_back(Shipment& shipment, Modelled& message) {
    message.ready.erase(shipment.id);
    queue_->release(shipment, loop_.now() + std::chrono::minutes(pick(5)));
  }

  void announce_doubt(Shipment& shipment, Modelled& message, Ready& ready) {
    Snapshot after = message.now;
    std::vector<std::uint32_t> offered;
    for (const std::uint32_t i : ready.recipients)
      if (offered.empty() || pick(2) == 0) offered.push_back(i);
    const Fate first = after.fates[offered.front()];
    ready.open = true;
    ready.marked = {offered.begin(), offered.end()};
    ready.attempts = first.attempts;
    ready.doubts = first.doubts;
    for (const std::uint32_t i : offered) {
      Fate& fate = after.fates[i];
      fate = {doubtful, fate.held, first.attempts + 1, first.doubts + 1};
    }
    change(message, after);
    const MessageId id = shipment.id.message();
    if (wait(queue_->mark_in_doubt(shipment, "office", offered, loop_.wall_now() + 10min)) &&
        model_.at(id).now.there)
      model_.at(id).since.clear();
  }

  void act_as_operator(Message& entry, Modelled& message, int what) {
    Snapshot after = message.now;
    switch (what % 6) {
      case 0:
        queue_->hold(entry);
        for (Fate& fate : after.fates) fate.held = fate.waits();
        break;
      case 1:
        queue_->retry(entry);
        retry(after);
        break;
      case 2:
        queue_->remove(entry);
        after = gone();
        break;
      case 3:
        return end_doubt(entry, message);
      case 4:
        return tell(entry, message);
      default:
        queue_->renew(entry);
        return;
    }
    change(message, after);
  }

  // A record for each shipment: a crash may come between them.
  void end_doubt(Message& entry, Modelled& message) {
    std::vector<std::vector<std::uint32_t>> shipments;
    entry.for_each_shipment([&](Shipment& shipment) { shipments.push_back(recipients_of(shipment)); });
    queue_->not_taken(entry);
    for (const std::vector<std::uint32_t>& recipients : shipments) {
      Snapshot after = message.now;
      for (const std::uint32_t i : recipients)
        if (Fate& fate = after.fates[i]; fate.state == doubtful && !message.is_ready(i))
          fate = {pending, false, fate.attempts, 0};
      change(message, after);
    }
  }

  // Of both, or of one kind: somebody was told; or the report of it is in the queue, and a start has to find
  // that out.
  void tell(Message& entry, Modelled& message) {
    const Debt* const debt = queue_->debt(entry.id());
    if (!debt) return;
    Debt owed = *debt;
    const int kinds = pick(3);
    if (kinds == 0) owed.events.clear();
    if (kinds == 1) owed = {.events = owed.events};
    if (owed.owes_report() && pick(2) == 0 && !write_report(entry.id(), owed)) return;
    Snapshot after = message.now;
    pay(after, owed);
    queue_->told(entry, {owed, 0, {}});
    change(message, after.is_over() ? gone() : after);
  }

  static void pay(Snapshot& message, const Debt& paid) {
    for (const std::uint32_t each : paid.recipients) message.fates.at(each).owed = false;
    for (const std::uint32_t each : paid.events) message.fates.at(each).event = false;
  }

  // False: the power failed. It may be there, and what it is about told, before anything else is recorded.
  bool write_report(MessageId about, const Debt& owed) {
    flush();  // what it tells of is durable
    if (!queue_ || disk_.dead()) return false;
    Envelope envelope;
    envelope.recipients.resize(1, {"sender@example.org", "NEVER", ""});
    envelope.report = {to_string(about), owed.recipients, 0, owed.expanded};
    Modelled& original = model_.at(about);
    Snapshot told = original.now;
    pay(told, {.recipients = owed.recipients});
    accept(std::move(envelope), false);
    original.since.push_back(told.is_over() ? gone() : told);
    return !disk_.dead();
  }

  static void retry(Snapshot& message) {
    if (message.has_ended() && !message.has(failed)) return;
    const bool again = message.has_ended();
    for (Fate& fate : message.fates) {
      fate.held = false;
      if (again && fate.state == failed) fate = {pending, false, message.attempts_at_end, 0};
    }
    if (again) message.attempts_at_end = 0;
  }

  std::mt19937 random_;
  ForgettingDisk disk_;
  ManualLoop loop_;
  async::Workers workers_{loop_, 1};
  std::map<MessageId, Modelled> model_;
  std::unique_ptr<Queue> queue_;
  Recovery recovery_;
  bool torn_ = false;  // power came back with a random part of what was not synced
  MessageId current_;
  std::uint64_t first_id_ = 0;
  std::uint64_t last_id_ = 0;
};

unsigned number_from(const char* variable, unsigned otherwise) {
  const char* const text = std::getenv(variable);
  return text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : otherwise;
}

TEST(Model, TheQueueIsAlwaysWhatTheModelSays) {
  const unsigned one = number_from("RELAYD_MODEL_SEED", 0);
  const unsigned seeds = number_from("RELAYD_MODEL_SEEDS", usual_seeds);
  for (unsigned seed = one != 0 ? one : 1; seed <= (one != 0 ? one : seeds); ++seed) {
    SCOPED_TRACE(fmt::format("RELAYD_MODEL_SEED={}", seed));
    Play(seed).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace relayd::queue
