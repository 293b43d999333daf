// Webhooks: what the queue owes is told, over crashes of all kinds, and takes little memory.
#include "relay/webhooks.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "relay/webhook_world.hpp"
#include "settle/decision.hpp"
#include "support/forgetting_disk.hpp"
#include "support/quiet_log.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using config::WebhookEvent;
using queue::MessageId;
using queue::RecipientState;
using test::ForgettingDisk;
using test::ReceiverScript;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;

const std::vector<WebhookEvent> all_events = {
    WebhookEvent::delivered,  WebhookEvent::deferred,        WebhookEvent::failed,    WebhookEvent::expired,
    WebhookEvent::suppressed, WebhookEvent::account_failing, WebhookEvent::account_ok};

// A process on the disk, from its start to its end.
struct Life {
  Life(ForgettingDisk& disk, ReceiverScript& script, const std::vector<config::Webhook>& webhooks,
       telemetry::Log& log, WallTime now)
      : queue(loop, *workers, disk, {.directory = "/queue", .reserve = 0_B}),
        publisher(log),
        hooks({loop, *workers, disk, log, queue, 4_MiB},
              {.connect = [this, &script](const config::Webhook&) { return script.client(loop); },
               .provider_id = [](const std::string& upstream,
                                 const queue::RecipientOutcome& one) { return upstream + one.text; }},
              false) {
    loop.set_wall(now);
    publisher.subscribe(hooks.subscriber());
    disk.hold("/queue");
    queue.on_due([](queue::Shipment&) {});
    queue.open();
    queue.on_debt([this](MessageId id) { hooks.owe(id); });
    hooks.begin(webhooks, Webhooks::Secrets(webhooks.size(), {"a secret of some length, or other"}));
  }

  // What a worker has begun comes to its end first.
  ~Life() { workers.reset(); }

  test::ManualLoop loop;
  std::optional<async::Workers> workers{std::in_place, loop, 1U};
  queue::Queue queue;
  tell::Publisher publisher;
  Webhooks hooks;
};

class WebhooksTest : public testing::Test {
 protected:
  void SetUp() override {
    add("https://hooks.example/here?key=1", all_events);
    start();
  }
  void add(const std::string& url, const std::vector<WebhookEvent>& events) {
    config::Webhook webhook;
    webhook.url = url;
    webhook.events = events;
    webhooks.push_back(webhook);
  }

  void start() {
    life = std::make_unique<Life>(disk, script, webhooks, quiet, now);
    settle();
  }
  void stop() {
    life->hooks.shut_down();
    test::run_task(life->hooks.flush(), &life->loop);
    test::run_task(life->hooks.drained(), &life->loop);
    test::run_task(life->queue.flush(), &life->loop);
    end();
  }
  void end() {
    now = life->loop.wall_now();
    life.reset();
  }
  void crash(unsigned seed = 0) {
    if (!disk.dead()) disk.arm(1, ForgettingDisk::Fault::power_fails);
    end();
    disk.restart(seed);
    start();
  }
  void settle() { test::settle(*life->workers, life->loop); }
  // On a disk that is well: what has come is written, too.
  void pass(Duration time) {
    life->loop.advance(time);
    settle();
    test::run_task(life->hooks.flush(), &life->loop);
    settle();
  }

  MessageId commit(std::size_t recipients) {
    mail::Envelope envelope;
    envelope.sender = envelope.routing_sender = "ann@example.com";
    for (std::size_t i = 0; i < recipients; ++i)
      envelope.recipients.push_back({fmt::format("r{}@example.net", i), {}, {}});
    queue::Draft draft = life->queue.draft();
    draft.append("Subject: hello\r\n\r\ntext\r\n");
    const MessageId id = test::run_task(life->queue.commit(std::move(draft), envelope), &life->loop);
    life->loop.run();
    return id;
  }
  // As an attempt ends. It says nothing of the others.
  void attempt(MessageId id, const std::vector<RecipientState>& states, bool publish = true) {
    queue::Message* const message = life->queue.find(id);
    queue::Outcome outcome;
    outcome.when = life->loop.wall_now();
    outcome.next_attempt = outcome.when + 30min;
    outcome.upstream = "main";
    outcome.host = "mx.example.net:25";
    const smtp::Event took(smtp::Stage::final_dot, smtp::Reply{250, {2, 0, 0}, "queued as \"Q1\""});
    const smtp::Event refused(smtp::Stage::rcpt, smtp::Reply{550, {5, 1, 1}, "no such user"});
    queue::Debt owed;
    for (std::uint32_t i = 0; i < states.size(); ++i) {
      const smtp::Event& event = states[i] == delivered ? took : refused;
      outcome.recipients.push_back({i, states[i], static_cast<std::uint16_t>(smtp::code_of(event)),
                                    settle::recorded_text(event, false)});
      if (states[i] != pending) owed.events.push_back(i);
    }
    queue::Shipment* shipment = nullptr;
    message->for_each_shipment([&shipment](queue::Shipment& each) { shipment = &each; });
    if (shipment->state == queue::MessageState::waiting) life->queue.take(*shipment);
    const WallTime when = outcome.when;
    life->queue.settle(*shipment, std::move(outcome), 0, owed);
    if (!publish) return;
    const std::string text = queue::to_string(id);
    for (std::uint32_t i = 0; i < states.size(); ++i) {
      const std::string to = fmt::format("r{}@example.net", i);
      life->publisher.publish(tell::Outcome{.fate = states[i] == delivered ? tell::Fate::delivered
                                                    : states[i] == failed  ? tell::Fate::failed
                                                                           : tell::Fate::deferred,
                                            .id = text,
                                            .when = when,
                                            .recipient = i,
                                            .from = "ann@example.com",
                                            .to = to,
                                            .upstream = "main",
                                            .host = "mx.example.net:25",
                                            .event = states[i] == delivered ? took : refused,
                                            .attempt = 1,
                                            .age = {}});
    }
  }
  static async::Task<void> flush(queue::Queue& queue, bool& durable) {
    co_await queue.flush();
    durable = true;
  }
  bool owes(MessageId id) { return life->queue.debt(id) != nullptr; }
  std::size_t spools() {
    std::set<std::string> folders;
    for (const auto& [path, size] : disk.sizes())
      if (path.starts_with("webhooks/")) folders.insert(path.substr(0, path.rfind('/')));
    return folders.size();
  }

  ForgettingDisk disk;
  ReceiverScript script;
  test::QuietLog quiet;
  WallTime now{1'790'000'000s};
  std::vector<config::Webhook> webhooks;
  std::unique_ptr<Life> life;
};

TEST_F(WebhooksTest, WhatComesToAnEndIsToldAndThenTheMessageGoes) {
  const MessageId id = commit(1);
  attempt(id, {delivered});
  EXPECT_TRUE(owes(id));
  pass(200ms);
  EXPECT_THAT(script.told(), ElementsAre(queue::to_string(id)));
  EXPECT_EQ(life->queue.find(id), nullptr);
}

TEST_F(WebhooksTest, AReceiverThatIsAwayHoldsNoMessage) {
  script.answers = {"refused"};
  const MessageId id = commit(2);
  attempt(id, {delivered, failed});
  pass(200ms);
  EXPECT_FALSE(owes(id));
  EXPECT_GT(life->hooks.status()[0].waiting, 0U);
  EXPECT_EQ(life->hooks.status()[0].url, "https://hooks.example/here");
}

TEST_F(WebhooksTest, ACrashBeforeTheSpoolMakesTheSameOctetsAgain) {
  const MessageId id = commit(2);
  attempt(id, {delivered, failed});
  pass(200ms);
  ASSERT_THAT(script.requests, SizeIs(1));
  const std::string before = script.requests[0].body;
  test::run_task(life->queue.flush(), &life->loop);  // that it was told is durable: it is not told again
  // The same on a disk that had the outcome and nothing else.
  disk.restart(0);
  const MessageId other = [this] {
    life.reset();
    disk.restart(0);
    start();
    return commit(2);
  }();
  const WallTime when = life->loop.wall_now();
  attempt(other, {delivered, failed}, false);
  test::run_task(life->queue.flush(), &life->loop);
  crash();
  pass(200ms);
  ASSERT_THAT(script.requests, SizeIs(2));
  std::string wanted;
  const std::string id_text = queue::to_string(other);
  const auto line = [&](std::uint32_t number, WebhookEvent what, std::uint16_t code, std::string_view text,
                        std::string_view named) {
    const std::string to = fmt::format("r{}@example.net", number);
    tell::append_webhook_event(wanted,
                               {.what = what,
                                .id = id_text,
                                .recipient = number,
                                .when = when,
                                .from = "ann@example.com",
                                .to = to,
                                .upstream = "main",
                                .host = "mx.example.net:25",
                                .code = code,
                                .text = text,
                                .provider_id = named},
                               false);
  };
  const std::string took = "2.0.0 queued as \"Q1\"";
  line(0, WebhookEvent::delivered, 250, took, "main" + took);
  line(1, WebhookEvent::failed, 550, "5.1.1 no such user", "");
  EXPECT_EQ(script.requests[1].body, tell::make_webhook_batch(wanted).body);
  // And so it is told where there is no crash.
  const auto shape = [](std::string body, const std::string& message, const std::string& time) {
    for (std::size_t at = 0; (at = body.find(message)) != std::string::npos;)
      body.replace(at, message.size(), "M");
    for (std::size_t at = 0; (at = body.find(time)) != std::string::npos;) body.replace(at, time.size(), "T");
    return body;
  };
  const std::string key = R"("timestamp":")";
  const auto time = [&](const std::string& body) { return test::values_in(body, key).front(); };
  const auto count = [&](const std::string& body) {
    const std::string event = test::ids_in(body).front();
    return event.substr(event.rfind('_') + 1);
  };
  std::string one = shape(before, queue::to_string(id), time(before));
  std::string two = shape(script.requests[1].body, id_text, time(script.requests[1].body));
  EXPECT_EQ(shape(one, count(before), count(before)),
            shape(two, count(script.requests[1].body), count(script.requests[1].body)));
}

TEST_F(WebhooksTest, ACrashBeforeTheQueueIsToldRepeatsTheSameEvent) {
  const MessageId id = commit(1);
  attempt(id, {delivered});
  pass(200ms);
  crash();  // told() had not come to the disk
  pass(200ms);
  const std::set<std::string> different(script.events().begin(), script.events().end());
  EXPECT_THAT(different, SizeIs(1));
}

TEST_F(WebhooksTest, APowerCutLetsNobodyHearOfAnEndThatTheQueueDoesNotKnow) {
  for (std::size_t call = 1; call <= 20; ++call) {
    script = {};
    const MessageId id = commit(1);
    disk.arm(call, ForgettingDisk::Fault::power_fails);
    attempt(id, {delivered});
    life->loop.advance(200ms);
    settle();
    crash();
    const queue::Message* const message = life->queue.find(id);
    if (!message || has_ended(message->state)) continue;
    EXPECT_THAT(script.told(), Not(Contains(queue::to_string(id)))) << call;
  }
}

TEST_F(WebhooksTest, EachReceiverGetsWhatItWants) {
  life.reset();
  disk.restart(0);
  webhooks.clear();
  add("https://a.example/", {WebhookEvent::failed});
  add("https://b.example/", {WebhookEvent::delivered, WebhookEvent::failed});
  start();
  const MessageId id = commit(2);
  attempt(id, {delivered, failed});
  pass(200ms);
  EXPECT_FALSE(owes(id));
  EXPECT_EQ(script.events().size(), 3U);
}

TEST_F(WebhooksTest, WithoutReceiversThereIsNothing) {
  life.reset();
  disk.restart(0);
  webhooks.clear();
  start();
  const std::size_t before = life->loop.calls();
  const MessageId id = commit(1);
  attempt(id, {delivered}, true);
  EXPECT_EQ(spools(), 0U);
  EXPECT_TRUE(life->hooks.status().empty());
  EXPECT_GE(life->loop.calls(), before);
}

TEST_F(WebhooksTest, WhatIsOwedToNobodyAnyMoreIsPaidAtTheNextStart) {
  const MessageId id = commit(1);
  attempt(id, {failed}, false);
  test::run_task(life->queue.flush(), &life->loop);
  webhooks.clear();
  crash();
  pass(1s);
  EXPECT_FALSE(owes(id));
  EXPECT_THAT(script.requests, IsEmpty());
}

TEST_F(WebhooksTest, WhoIsTriedAgainOwesNothing) {
  script.answers = {"hangs"};
  const MessageId id = commit(1);
  attempt(id, {failed}, false);
  test::run_task(life->queue.flush(), &life->loop);
  life->queue.retry(*life->queue.find(id));
  test::run_task(life->queue.flush(), &life->loop);
  crash();
  pass(1s);
  EXPECT_THAT(script.requests, IsEmpty());
}

TEST_F(WebhooksTest, ADiskThatFailsCostsNoEventAndLittleMemory) {
  std::vector<MessageId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(commit(1000));
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  for (const MessageId id : ids) attempt(id, std::vector<RecipientState>(1000, delivered));
  life->loop.advance(1s);
  settle();
  EXPECT_THAT(script.requests, IsEmpty());
  disk.heal();
  // The queue's disk comes first.
  bool durable = false;
  async::Scope scope;
  scope.spawn(flush(life->queue, durable));
  for (int i = 0; i < 600 && !durable; ++i) {
    life->loop.advance(1s);
    life->loop.wait_for_post(20ms);
  }
  ASSERT_TRUE(durable);
  for (int i = 0; i < 30; ++i) pass(1s);
  const std::set<std::string> different(script.events().begin(), script.events().end());
  EXPECT_EQ(different.size(), 4000U);
  for (const MessageId id : ids) EXPECT_FALSE(owes(id));
}

TEST_F(WebhooksTest, AnOrderlyEndLeavesNothingInMemory) {
  const MessageId id = commit(1);
  attempt(id, {delivered});
  stop();
  start();
  EXPECT_FALSE(owes(id));
  EXPECT_THAT(script.events(), SizeIs(1));
}

TEST_F(WebhooksTest, AReceiverThatIsTakenAwayAndComesBackGoesOn) {
  script.answers = {"refused"};
  attempt(commit(1), {delivered});
  pass(200ms);
  life->hooks.use({}, {});
  pass(24h - 1h);
  EXPECT_THAT(script.requests, SizeIs(1));
  EXPECT_TRUE(life->hooks.status().empty());
  life->hooks.use(webhooks, {{"a secret"}});
  settle();
  EXPECT_THAT(script.events(), SizeIs(1));
}

TEST_F(WebhooksTest, OneThatWasTakenAwayHoldsNoMessageThoughItsDiskFails) {
  const MessageId id = commit(1);
  attempt(id, {delivered});
  test::run_task(life->queue.flush(), &life->loop);
  disk.set_free_space(0_B);
  life->loop.advance(200ms);
  settle();
  ASSERT_TRUE(owes(id));
  life->hooks.use({}, {});
  pass(1s);
  EXPECT_FALSE(owes(id));
}

TEST_F(WebhooksTest, TheReserveIsNotWrittenToAndNothingIsLost) {
  const MessageId id = commit(1);
  disk.set_free_space(4_MiB);
  attempt(id, {delivered});
  test::run_task(life->queue.flush(), &life->loop);
  for (int i = 0; i < 5; ++i) {
    life->loop.advance(200ms);
    settle();
  }
  EXPECT_TRUE(owes(id));
  EXPECT_THAT(script.requests, IsEmpty());
  disk.set_free_space(1_GiB);
  pass(1s);
  EXPECT_FALSE(owes(id));
  EXPECT_THAT(script.events(), SizeIs(1));
}

// Whatever comes, each end is told at least once, and after what was told of the recipient before.
TEST_F(WebhooksTest, RandomWalksLoseNothing) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&random](unsigned n) { return static_cast<unsigned>(random() % n); };
    life.reset();
    disk.restart(0);
    script = {};
    start();
    std::map<std::string, std::size_t> sent;  // recipients, by message
    const auto go_on = [&](bool to_the_end) {
      for (const MessageId id : life->queue.ids()) {
        queue::Message* const message = life->queue.find(id);
        if (has_ended(message->state) || (!to_the_end && pick(3) == 0)) continue;
        std::vector<RecipientState> states;
        const std::size_t count = sent[queue::to_string(id)];
        const bool ends = to_the_end || pick(2) == 0;
        for (std::size_t i = 0; i < count; ++i)
          states.push_back(ends ? (pick(2) == 0 ? delivered : failed) : pending);
        attempt(id, states);
      }
    };
    for (int step = 0; step < 25; ++step) {
      script.answers.assign(pick(3), pick(2) == 0 ? "500" : "refused");
      switch (pick(6)) {
        case 0:
        case 1: {
          const std::size_t count = 1 + pick(3);
          sent[queue::to_string(commit(count))] = count;
          break;
        }
        case 2:
        case 3:
          go_on(false);
          break;
        case 4:
          pass(std::chrono::milliseconds(pick(1000)));
          break;
        default:
          disk.arm(1 + pick(6), ForgettingDisk::Fault::power_fails);
          go_on(false);
          life->loop.advance(std::chrono::milliseconds(pick(400)));
          settle();
          crash(pick(5));
      }
    }
    go_on(true);
    script.answers.clear();
    for (int i = 0; i < 6; ++i) pass(1h);
    std::set<std::string> ended;
    for (const std::string& event : script.events()) {
      const std::size_t what = event.find('_', event.find('_', 4) + 1);
      const std::string who = event.substr(4, what - 4);
      const bool is_end = event.find("deferred") == std::string::npos;
      if (is_end) ended.insert(who);
    }
    // "evt_MESSAGE_RECIPIENT_WHAT_MICROSECONDS": the first time that each is told is in order.
    std::map<std::string, std::int64_t> last;
    std::set<std::string> known;
    for (const std::string& event : script.events()) {
      if (!known.insert(event).second) continue;
      const std::int64_t when = std::stoll(event.substr(event.rfind('_') + 1));
      std::int64_t& before = last[event.substr(4, event.find('_', 4) - 4)];
      EXPECT_GE(when, before) << seed << " " << event;
      before = when;
    }
    for (const auto& [id, count] : sent)
      for (std::size_t i = 0; i < count; ++i)
        EXPECT_TRUE(ended.contains(fmt::format("{}_{}", id, i))) << seed << " " << id;
    for (const MessageId id : life->queue.ids()) EXPECT_FALSE(owes(id)) << seed;
  }
}

}  // namespace
}  // namespace relayd
