// The queue against a model: long random sequences of what clients, upstreams, operators, power and kills do,
// and a few lines of obvious code that say what must be there afterwards.
//
// The suite runs two thousand seeds, and fewer under AddressSanitizer, where each takes long;
// RELAYD_MODEL_SEEDS=1000000 runs so many, and RELAYD_MODEL_SEED=N that one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

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

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;
constexpr auto doubtful = RecipientState::doubtful;

// What a start must find of a message.
struct Snapshot {
  bool there = true;
  MessageState state = MessageState::waiting;
  std::vector<RecipientState> states;
  int attempts = 0;
  int doubts = 0;
  bool operator==(const Snapshot&) const = default;
};

// A message as the model knows it: what it is now, and what it was since the last time that all was durable.
struct Modelled {
  std::string body;
  Snapshot now;
  bool ready = false;         // somebody has it
  bool attempt_open = false;  // a doubt was announced, its outcome is to come
  bool has_gap = false;       // a power cut may have lost a part of its history
  std::vector<Snapshot> since;

  bool has(RecipientState state) const {
    return std::find(now.states.begin(), now.states.end(), state) != now.states.end();
  }
};

std::ostream& operator<<(std::ostream& out, const Snapshot& snapshot) {
  if (!snapshot.there) return out << "gone";
  out << to_string(snapshot.state) << " attempts " << snapshot.attempts << " doubts " << snapshot.doubts
      << ":";
  for (const RecipientState state : snapshot.states) out << " " << to_string(state);
  return out;
}

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
    queue_->on_due([this](Message& message) {
      Modelled& modelled = model_.at(message.id);
      modelled.ready = true;
      modelled.attempt_open = false;
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
    for (auto& [id, message] : model_) message.ready = message.attempt_open = false;
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
    const auto is_doubtful = [](RecipientState state) { return state == doubtful; };
    const bool had_doubt =
        any([&](const Snapshot& was) { return std::ranges::any_of(was.states, is_doubtful); });
    for (std::size_t i = 0; i < actual.states.size(); ++i)
      if (!(had_doubt && is_doubtful(actual.states[i])) &&
          !any([&](const Snapshot& was) { return was.there && was.states[i] == actual.states[i]; }))
        return false;
    const auto lost = static_cast<int>(since.size());
    return any([&](const Snapshot& was) { return was.attempts + lost >= actual.attempts; }) &&
           any([&](const Snapshot& was) { return was.doubts + lost >= actual.doubts; });
  }

  static Snapshot gone() {
    Snapshot snapshot;
    snapshot.there = false;
    return snapshot;
  }

  Snapshot look(Message& message, const Modelled& modelled) {
    const Content content = test::run_task(queue_->read(message), &loop_);
    EXPECT_EQ(content.body, modelled.body);
    if (!modelled.has_gap) expect_replies(message, content);
    const MessageState state = message.state == MessageState::ready ? MessageState::waiting : message.state;
    return {true, state, content.states, message.attempts, message.doubts};
  }

  // Whoever has an end has the reply that was it, as far back as the history has no gap.
  void expect_replies(Message& message, const Content& content) {
    std::set<std::uint32_t> told;
    for (const HistoryEvent& event : test::run_task(queue_->history(message), &loop_))
      for (const RecipientOutcome& outcome : event.outcome.recipients)
        if (outcome.code != 0) told.insert(outcome.recipient);
    for (std::uint32_t i = 0; i < content.states.size(); ++i)
      if (content.states[i] == delivered || content.states[i] == failed)
        EXPECT_TRUE(told.contains(i)) << to_string(message.id) << " recipient " << i;
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
    if (!message || (!message->now.there && !message->ready)) return;
    Message& entry = *queue_->find(current_);
    if (message->ready && (what < 20 || !message->now.there)) return act_as_relay(entry, *message, what);
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
    const std::size_t size = pick(8) == 0 ? 9'000 : static_cast<std::size_t>(pick(5'000));
    Envelope envelope;
    envelope.sender = envelope.routing_sender = "sender@example.org";
    envelope.recipients.resize(static_cast<std::size_t>(1 + pick(3)), {"b@example.org", "", ""});
    Draft draft = queue_->draft();
    const MessageId id = draft.id();
    if (first_id_ == 0) first_id_ = id.value;
    last_id_ = id.value;
    Modelled& message = model_[id];
    message.body = fmt::format("{} ", to_string(id)) + std::string(size, static_cast<char>('a' + pick(26)));
    const bool held = pick(10) == 0;
    message.now = {true, held ? MessageState::held : MessageState::waiting,
                   std::vector<RecipientState>(envelope.recipients.size(), pending), 0, 0};
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
    const MessageId id = co_await queue_->commit(std::move(draft), std::move(envelope), held);
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

  void act_as_relay(Message& entry, Modelled& message, int what) {
    if (what < 12) return give_back(entry, message);
    if (what < 14 && !message.attempt_open && message.has(pending)) return announce_doubt(entry, message);
    Outcome outcome;
    outcome.when = loop_.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::minutes(pick(60));
    outcome.upstream = "office";
    Snapshot after = message.now;
    const bool is_part = pick(4) == 0;
    bool somebody_waits = false;
    for (std::uint32_t i = 0; i < after.states.size(); ++i) {
      RecipientState& state = after.states[i];
      if (state != pending && state != doubtful) continue;
      if (is_part && state == pending && !outcome.recipients.empty()) continue;
      const int fate = pick(8);
      state = fate < 4 ? delivered : fate < 5 ? failed : fate < 7 ? pending : doubtful;
      somebody_waits |= state == pending || state == doubtful;
      outcome.recipients.push_back({i, state, 250, "2.0.0 what was said"});
    }
    queue_->settle(entry, outcome);
    settled(message, after, outcome.recipients.empty() || somebody_waits);
  }

  // `somebody_waits`: somebody whom the attempt was for still waits.
  void settled(Modelled& message, Snapshot after, bool somebody_waits) {
    message.ready = false;
    if (!message.now.there) return;  // it was deleted meanwhile
    const auto count = [&after](RecipientState state) {
      return std::count(after.states.begin(), after.states.end(), state);
    };
    const bool is_slice = !somebody_waits && count(pending) + count(doubtful) > 0;
    if (const bool counted = std::exchange(message.attempt_open, false); counted == is_slice)
      after.attempts += is_slice ? -1 : 1;
    if (count(doubtful) == 0)
      after.doubts = 0;
    else if (after.doubts == 0)
      after.doubts = 1;
    if (count(pending) + count(doubtful) == 0) {
      after.there = count(failed) > 0;
      after.state = MessageState::failed;
    }
    change(message, after.there ? after : gone());
  }

  void give_back(Message& entry, Modelled& message) {
    queue_->release(entry, loop_.now() + std::chrono::minutes(pick(5)));
    message.ready = false;
  }

  void announce_doubt(Message& entry, Modelled& message) {
    Snapshot after = message.now;
    std::vector<std::uint32_t> offered;
    for (std::uint32_t i = 0; i < after.states.size(); ++i)
      if (after.states[i] == doubtful || (after.states[i] == pending && (offered.empty() || pick(2) == 0)))
        offered.push_back(i);
    for (const std::uint32_t i : offered) after.states[i] = doubtful;
    ++after.attempts;
    ++after.doubts;
    if (message.now.there) change(message, after);
    message.attempt_open = true;
    const MessageId id = entry.id;
    if (wait(queue_->mark_in_doubt(entry, "office", offered, loop_.wall_now() + 10min)) &&
        model_.at(id).now.there)
      model_.at(id).since.clear();
  }

  void act_as_operator(Message& entry, Modelled& message, int what) {
    Snapshot after = message.now;
    switch (what % 5) {
      case 0:
        queue_->hold(entry);
        if (after.state != MessageState::failed) after.state = MessageState::held;
        break;
      case 1:
        queue_->retry(entry);
        if (after.state == MessageState::failed)
          std::replace(after.states.begin(), after.states.end(), failed, pending);
        after.state = MessageState::waiting;
        break;
      case 2:
        queue_->remove(entry);
        after = gone();
        break;
      case 3:
        queue_->not_taken(entry);
        if (message.ready || !message.has(doubtful)) return;
        std::replace(after.states.begin(), after.states.end(), doubtful, pending);
        after.doubts = 0;
        if (after.state == MessageState::held) after.state = MessageState::waiting;
        break;
      default:
        queue_->renew(entry);
        return;
    }
    change(message, after);
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
