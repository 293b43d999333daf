// Lane against transports that do what the test says, and a desk that notes what it is told.
#include "send/lane.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "send/client_fixture.hpp"

namespace relayd::send {
namespace {

using async::Task;
using namespace std::chrono_literals;
using smtp::Stage;
using smtp::Trouble;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// What happens on all connections, as "1: open", "1: send 7", "1: close".
struct World {
  test::ManualLoop& loop;
  std::vector<std::string> log;
  std::map<int, class FakeTransport*> connections;  // living, by number
  int count = 0;
  std::optional<Event> cannot_open;
  bool ahead = false;  // transports ask what follows

  void note(int connection, const std::string& what) {
    log.push_back(fmt::format("{}: {}", connection, what));
  }
};

class FakeTransport final : public Transport {
 public:
  explicit FakeTransport(World& world) : world_(world), number_(++world.count), alarm_(world.loop) {
    world_.connections[number_] = this;
  }
  ~FakeTransport() override { world_.connections.erase(number_); }

  Task<std::optional<Event>> open() override {
    world_.note(number_, "open");
    usable_ = !world_.cannot_open;
    co_return world_.cannot_open;
  }
  Task<Report> send(Delivery& delivery, Follow& follow) override {
    world_.note(number_, fmt::format("send {}", delivery.id()));
    if (world_.ahead) {
      const Delivery* const next = co_await follow.next();
      if (next) world_.note(number_, fmt::format("announce {}", next->id()));
    }
    co_await sent_;
    Report report;
    report.untried = carried_ && event_->stage == Stage::mail && event_->trouble == Trouble::broken;
    report.out_of_step = std::exchange(out_of_step, false);
    carried_ = true;
    report.add_rest(delivery, *event_);
    co_return report;
  }
  bool usable() const override { return usable_; }
  Task<bool> idle(Deadline deadline) override {
    idling_ = true;
    woken_ = false;
    alarm_.at(deadline, [this] { leave(); });
    co_await waited_;
    idling_ = false;
    co_return woken_;
  }
  void wake() override {
    woken_ = true;
    alarm_.at(world_.loop.now(), [this] { waited_.set(); });
  }
  Task<void> close() override {
    world_.note(number_, "close");
    usable_ = false;
    co_return;
  }
  void abort() override {
    world_.note(number_, "abort");
    usable_ = false;
    event_ = Event(Stage::data, Trouble::cancelled, "aborted");
    if (idling_) return waited_.set();
    sent_.set();
  }
  Report describe() const override { return {}; }

  // The test's: the message that is being sent meets this.
  void finish(Event event = Event(Stage::final_dot, {250, {}, "Ok"}), bool usable = true) {
    event_ = std::move(event);
    usable_ = usable;
    sent_.set();
  }
  // The server goes while the connection is idle.
  void leave() {
    usable_ = false;
    waited_.set();
  }
  bool idling() const { return idling_; }
  bool out_of_step = false;  // the next report says so

 private:
  World& world_;
  int number_;
  bool usable_ = false;
  bool carried_ = false;
  bool idling_ = false;
  bool woken_ = false;
  std::optional<Event> event_;
  async::Event sent_;
  async::Event waited_;
  async::Timer alarm_;
};

class NumberedDelivery final : public Delivery {
 public:
  explicit NumberedDelivery(std::uint64_t number) : id_(std::to_string(number)) {}
  std::string_view id() const override { return id_; }
  const mail::Envelope& envelope() const override { return envelope_; }
  const std::vector<std::uint32_t>& recipients() const override { return recipients_; }
  std::uint64_t size() const override { return 0; }
  Task<std::string_view> next() override { co_return ""; }
  Task<void> before_final_dot() override { co_return; }

 private:
  std::string id_;
  mail::Envelope envelope_ = test::make_envelope("ann@example.com", {"bob@example.org"});
  std::vector<std::uint32_t> recipients_{0};
};

class FakeDesk final : public Desk {
 public:
  Task<std::unique_ptr<Delivery>> load(std::uint64_t message, std::uint32_t recipients) override {
    loaded.emplace_back(message, recipients);
    std::unique_ptr<Delivery> delivery;
    if (message != gone) delivery = std::make_unique<NumberedDelivery>(message);
    co_return delivery;
  }
  void settle(std::uint64_t message, const Delivery&, const Report& report) override {
    settled.push_back(fmt::format("{} {}", message, test::shown(report.recipients.at(0).event)));
    if (on_settle) on_settle();
  }
  void give_back(std::uint64_t message) override { given_back.push_back(message); }
  void turned_down(std::uint64_t message) override { turned_down_at.push_back(message); }

  std::vector<std::string> settled;
  std::vector<std::uint64_t> given_back;
  std::vector<std::uint64_t> turned_down_at;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> loaded;  // message, recipients
  std::uint64_t gone = 0;
  std::function<void()> on_settle;
};

class LaneTest : public testing::Test {
 protected:
  std::unique_ptr<Lane> make_lane() {
    return std::make_unique<Lane>(loop, desk, limits, budget, quota,
                                  [this] { return std::make_unique<FakeTransport>(world); });
  }
  void enqueue(Lane& lane, std::initializer_list<std::uint64_t> messages) {
    for (const std::uint64_t message : messages) lane.enqueue("ann@example.com", {message, 1});
    loop.run();
  }
  void finish(int connection, Event event = Event(Stage::final_dot, {250, {}, "Ok"}), bool usable = true) {
    world.connections.at(connection)->finish(std::move(event), usable);
    loop.run();
  }
  // How many connections carry a message now.
  long busy() const {
    return std::count_if(world.connections.begin(), world.connections.end(),
                         [](const auto& entry) { return !entry.second->idling(); });
  }
  void end(Lane& lane) {
    lane.shut_down();
    lane.abort();
    loop.run();
    Task<void> drained = lane.drained();
    drained.start();
    ASSERT_TRUE(drained.done());
    EXPECT_EQ(budget->used, 0U);
  }

  test::ManualLoop loop;
  World world{.loop = loop};
  FakeDesk desk;
  LaneLimits limits;
  std::shared_ptr<Budget> budget = std::make_shared<Budget>();
  std::shared_ptr<Quota> quota = std::make_shared<Quota>();
};

TEST_F(LaneTest, OpensAsManyConnectionsAsItMay) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "2: open", "2: send 2"));
  EXPECT_EQ(lane->waiting(), 2U);
  EXPECT_EQ(lane->connections(), 2U);
  finish(2);
  finish(1);
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "2: open", "2: send 2", "2: send 3", "1: send 4"));
  end(*lane);
}

TEST_F(LaneTest, UsesAWarmConnectionAgain) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  loop.advance(29s);
  enqueue(*lane, {2});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2"));
  finish(1);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, ClosesAConnectionThatNobodyNeeds) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  loop.advance(30s);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close"));
  EXPECT_EQ(lane->connections(), 0U);
  EXPECT_EQ(budget->used, 0U);
}

TEST_F(LaneTest, TakesTheConnectionThatWasUsedLast) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(2);
  loop.advance(10s);
  finish(1);
  enqueue(*lane, {3});
  EXPECT_EQ(world.log.back(), "1: send 3");
  loop.advance(20s);
  EXPECT_EQ(world.log.back(), "2: close");
  end(*lane);
}

TEST_F(LaneTest, ClosesAConnectionThatHasCarriedEnough) {
  limits.messages_per_connection = 2;
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  finish(1);
  finish(1);
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "1: send 2", "1: close", "2: open", "2: send 3"));
  end(*lane);
}

TEST_F(LaneTest, LeavesAConnectionThatIsNotUsableAnyMore) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(1, Event(Stage::mail, {421, {}, "Stopping"}), false);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close", "2: open", "2: send 2"));
  EXPECT_THAT(desk.settled, ElementsAre("1 mail 421 Stopping"));
  end(*lane);
}

TEST_F(LaneTest, PassesOverAMessageThatIsGone) {
  limits.connections = 1;
  desk.gone = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 2"));
  end(*lane);
}

TEST_F(LaneTest, LeavesNothingBehindForAMessageThatIsGone) {
  desk.gone = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_THAT(world.log, IsEmpty());
  EXPECT_EQ(lane->connections(), 0U);
}

// --- warm connections that have gone stale ---

TEST_F(LaneTest, AStaleConnectionIsNoAttempt) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  enqueue(*lane, {2});
  finish(1, Event(Stage::mail, Trouble::broken, "gone"), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok"));
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2", "2: open", "2: send 2"));
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, AFreshConnectionThatBreaksIsOne) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1, Event(Stage::mail, Trouble::broken, "gone"), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 mail broken"));
  EXPECT_EQ(lane->connections(), 0U);
}

TEST_F(LaneTest, AMessageHandedToALeavingServerTakesAnotherConnection) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  lane->enqueue("ann@example.com", {2, 1});  // wakes the connection,
  world.connections.at(1)->leave();          // which is gone before it hears of it
  loop.run();
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "2: open", "2: send 2"));
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, AServerThatLeavesAnIdleConnectionIsForgotten) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  world.connections.at(1)->leave();
  loop.run();
  EXPECT_EQ(lane->connections(), 0U);
  enqueue(*lane, {2});
  EXPECT_EQ(world.log.back(), "2: send 2");
  end(*lane);
}

// --- pause, probe, resume ---

TEST_F(LaneTest, APauseGivesTheLineBack) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  lane->pause(loop.now() + 60s);
  EXPECT_THAT(desk.given_back, ElementsAre(2, 3));
  EXPECT_FALSE(lane->open());
  EXPECT_EQ(lane->closed_until(), loop.now() + 60s);
  EXPECT_EQ(lane->troubles(), 1U);
  finish(1);
  loop.advance(59s);
  EXPECT_FALSE(lane->open());
  loop.advance(1s);
  EXPECT_TRUE(lane->open());
  end(*lane);
}

TEST_F(LaneTest, AfterAPauseASingleConnectionProbes) {
  const auto lane = make_lane();
  world.cannot_open = Event(Stage::auth, {535, {}, "No"});
  desk.on_settle = [&] { lane->pause(loop.now() + 60s); };
  enqueue(*lane, {1});
  EXPECT_THAT(desk.settled, ElementsAre("1 auth 535 No"));
  EXPECT_EQ(lane->connections(), 0U);

  loop.advance(60s);
  world.cannot_open.reset();
  desk.on_settle = nullptr;
  enqueue(*lane, {2, 3, 4});
  EXPECT_THAT(world.log, ElementsAre("1: open", "2: open", "2: send 2"));
  EXPECT_TRUE(lane->probing());
  lane->resume();
  loop.run();
  EXPECT_EQ(lane->troubles(), 0U);
  EXPECT_FALSE(lane->probing());
  EXPECT_THAT(world.connections, SizeIs(1));
  end(*lane);
}

TEST_F(LaneTest, AfterTroubleConnectionsGrowWithEachDelivery) {
  const auto lane = make_lane();
  lane->pause(loop.now());
  desk.on_settle = [&] {
    if (lane->troubles() > 0) lane->resume();
  };
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(busy(), 1);
  finish(1);
  EXPECT_EQ(busy(), 2);
  finish(1);
  finish(2);
  EXPECT_EQ(busy(), 4);
  end(*lane);
}

TEST_F(LaneTest, AProbeThatWasNoAnswerIsFollowedByAnother) {
  const auto lane = make_lane();
  lane->pause(loop.now());
  enqueue(*lane, {1, 2, 3});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1"));
  finish(1, Event(Stage::data, {451, {}, "Later"}));
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2"));
  EXPECT_EQ(busy(), 1);
  end(*lane);
}

TEST_F(LaneTest, WarmConnectionsProbeOneAtATimeToo) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  finish(1);
  finish(2);
  finish(3);
  lane->pause(loop.now() + 1s);
  loop.advance(1s);
  enqueue(*lane, {4, 5, 6});
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(world.log.back(), "3: send 4");
  finish(3, Event(Stage::data, {451, {}, "Later"}));
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(lane->waiting(), 1U);
  lane->resume();
  finish(3);
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(lane->waiting(), 0U);
  end(*lane);
}

TEST_F(LaneTest, ConnectionsThatWereBusyWhenThePauseBeganProbeOneAtATimeToo) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  lane->pause(loop.now() + 1s);
  loop.advance(1s);
  enqueue(*lane, {4, 5});
  finish(1);
  finish(2);
  EXPECT_EQ(lane->waiting(), 2U);
  finish(3);
  EXPECT_EQ(world.log.back(), "3: send 4");
  EXPECT_EQ(busy(), 1);
  end(*lane);
}

// --- one behind another's final dot ---

TEST_F(LaneTest, TheNextMessageIsKnownBeforeThePresentOneEnds) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});  // the first had nobody behind it yet
  finish(1);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2", "1: announce 3"));
  finish(1);
  EXPECT_EQ(world.log.back(), "1: send 3");
  end(*lane);
}

TEST_F(LaneTest, WhatFollowsAConnectionThatEndsWasNotTried) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {9, 1, 2});
  finish(1);
  desk.settled.clear();
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok"));
  EXPECT_EQ(world.log.back(), "2: send 2");
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  EXPECT_THAT(desk.given_back, IsEmpty());
  end(*lane);
}

TEST_F(LaneTest, WhatFollowsGoesBackWhenTheLaneIsPausedMeanwhile) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {9, 1, 2});
  finish(1);
  desk.on_settle = [&] { lane->pause(loop.now() + 60s); };
  finish(1, Event(Stage::final_dot, {421, {}, "Stopping"}), false);
  EXPECT_THAT(desk.given_back, ElementsAre(2));
  EXPECT_EQ(lane->connections(), 0U);
  end(*lane);
}

TEST_F(LaneTest, AServerOutOfStepIsSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  world.connections.at(1)->out_of_step = true;
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_THAT(desk.turned_down_at, ElementsAre(1));
  EXPECT_FALSE(lane->sends_ahead());
  EXPECT_EQ(world.log.back(), "2: send 2");
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 3");
  end(*lane);
}

TEST_F(LaneTest, AServerThatClosesBehindEachDotIsSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6});  // the first had nobody behind it yet
  for (int connection = 1; connection <= 4; ++connection) {
    EXPECT_TRUE(lane->sends_ahead());
    finish(connection, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  }
  EXPECT_FALSE(lane->sends_ahead());
  EXPECT_THAT(desk.turned_down_at, ElementsAre(4));
  end(*lane);
}

TEST_F(LaneTest, ConnectionsThatEndNowAndThenAreNoReason) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (int connection = 1; connection <= 4; ++connection) {
    finish(connection);
    finish(connection, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  }
  EXPECT_TRUE(lane->sends_ahead());
  end(*lane);
}

// --- limits ---

TEST_F(LaneTest, KeepsItsPace) {
  limits.spacing = 2s;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  EXPECT_EQ(lane->waiting(), 2U);
  finish(1);
  loop.advance(1999ms);
  EXPECT_EQ(lane->waiting(), 2U);
  loop.advance(1ms);
  EXPECT_EQ(world.log.back(), "1: send 2");
  loop.advance(2s);
  EXPECT_EQ(lane->waiting(), 0U);
  end(*lane);
}

TEST_F(LaneTest, ThirtyAMinuteAreThirtyHoweverManyConnections) {
  limits.spacing = 2s;
  const auto lane = make_lane();
  for (std::uint64_t message = 1; message <= 100; ++message) lane->enqueue("ann@example.com", {message, 1});
  loop.run();
  for (int tick = 0; tick < 600; ++tick) {
    const std::map<int, FakeTransport*> connections = world.connections;
    for (const auto& [number, transport] : connections)
      if (!transport->idling()) transport->finish();
    loop.advance(100ms);
  }
  EXPECT_THAT(desk.settled, SizeIs(30));
  end(*lane);
}

TEST_F(LaneTest, SplitsByRecipients) {
  limits.recipients_per_message = 50;
  const auto lane = make_lane();
  lane->enqueue("ann@example.com", {1, 120});
  loop.run();
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 50)));
  end(*lane);
}

TEST_F(LaneTest, AUsedUpQuotaClosesTheLaneUntilItsReset) {
  quota->use(3, Quota::Period::day);
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  lane->enqueue("ann@example.com", {2, 5});
  lane->enqueue("ann@example.com", {3, 1});
  loop.run();
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 1), testing::Pair(2, 2)));
  EXPECT_FALSE(lane->open());
  EXPECT_THAT(desk.given_back, ElementsAre(3));
  EXPECT_EQ(lane->closed_until() - loop.now(), quota->resets_at(loop.wall_now()) - loop.wall_now());
  finish(1);
  EXPECT_THAT(desk.settled, SizeIs(2));
  loop.advance(24h);
  EXPECT_TRUE(lane->open());
  end(*lane);
}

TEST_F(LaneTest, WhatWasNotTakenCostsNoQuota) {
  quota->use(10, Quota::Period::day);
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_EQ(quota->left(loop.wall_now()), 9U);
  finish(1, Event(Stage::rcpt, {550, {}, "No"}));
  EXPECT_EQ(quota->left(loop.wall_now()), 10U);
  end(*lane);
}

TEST_F(LaneTest, TooManyConnectionsAreOneLessForAMinute) {
  limits.connections = 3;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_TRUE(lane->use_fewer_connections());
  EXPECT_EQ(lane->allowed_connections(), 2U);
  finish(3, Event(Stage::mail, {421, {}, "Too many"}), false);
  EXPECT_EQ(busy(), 2);
  loop.advance(60s);
  EXPECT_EQ(lane->allowed_connections(), 3U);
  end(*lane);
}

TEST_F(LaneTest, ALastConnectionIsNotTakenAway) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_FALSE(lane->use_fewer_connections());
  end(*lane);
}

// --- an upstream's budget ---

TEST_F(LaneTest, LanesShareTheUpstreamsConnections) {
  budget->limit = 2;
  const auto first = make_lane();
  const auto second = make_lane();
  enqueue(*first, {1, 2});
  enqueue(*second, {3});
  EXPECT_EQ(second->waiting(), 1U);
  EXPECT_EQ(budget->used, 2U);
  finish(1, Event(Stage::data, {421, {}, "Stopping"}), false);
  EXPECT_EQ(second->waiting(), 0U);
  EXPECT_EQ(world.log.back(), "3: send 3");
  EXPECT_EQ(budget->used, 2U);
  first->shut_down();
  first->abort();
  loop.run();
  end(*second);
}

// --- the end ---

TEST_F(LaneTest, ShutDownFinishesWhatIsUnderWay) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(2);
  enqueue(*lane, {3, 4});
  lane->shut_down();
  EXPECT_THAT(desk.given_back, ElementsAre(4));
  EXPECT_FALSE(lane->open());
  Task<void> drained = lane->drained();
  drained.start();
  finish(1);
  EXPECT_FALSE(drained.done());
  finish(2);
  EXPECT_TRUE(drained.done());
  EXPECT_THAT(desk.settled, ElementsAre("2 final_dot 250 Ok", "1 final_dot 250 Ok", "3 final_dot 250 Ok"));
  EXPECT_EQ(budget->used, 0U);
}

TEST_F(LaneTest, ShutDownLeavesIdleConnectionsPolitely) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  lane->shut_down();
  loop.run();
  EXPECT_EQ(world.log.back(), "1: close");
  EXPECT_EQ(lane->connections(), 0U);
}

TEST_F(LaneTest, AbortReportsWhatIsUnderWayAsCancelled) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  lane->shut_down();
  lane->abort();
  loop.run();
  EXPECT_THAT(desk.settled, testing::UnorderedElementsAre("1 data cancelled", "2 data cancelled"));
  EXPECT_EQ(lane->connections(), 0U);
}

// One lane has all connections and much to do; the other gets one after a turn.
TEST_F(LaneTest, ALaneWithoutAConnectionGetsOneAfterATurn) {
  budget->limit = 2;
  const auto first = make_lane();
  const auto second = make_lane();
  for (std::uint64_t message = 1; message <= 100; ++message) first->enqueue("ann@example.com", {message, 1});
  loop.run();
  enqueue(*second, {1000});
  for (int i = 0; i < 19; ++i) finish(1);
  EXPECT_EQ(second->waiting(), 1U);
  finish(1);
  EXPECT_EQ(second->waiting(), 0U);
  EXPECT_EQ(second->connections(), 1U);
  EXPECT_EQ(world.log.back(), "3: send 1000");
  finish(3);
  EXPECT_EQ(first->connections(), 1U);
  first->shut_down();
  first->abort();
  end(*second);
}

}  // namespace
}  // namespace relayd::send
