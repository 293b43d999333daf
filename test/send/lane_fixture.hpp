// LaneTest: a lane against transports that do what the test says, and a desk that notes what it is told.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "send/client_fixture.hpp"
#include "send/lane.hpp"

namespace relayd::send {

using async::Task;
using namespace std::chrono_literals;
using smtp::Stage;
using smtp::Trouble;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// What happens on all connections, as "1: open", "1: send 7", "1: close".
struct World {
  explicit World(test::ManualLoop& manual) : loop(manual) {}

  test::ManualLoop& loop;
  std::vector<std::string> log;
  std::map<int, class FakeTransport*> connections;  // living, by number
  int count = 0;
  std::optional<Event> cannot_open;
  Duration opening_takes{};
  bool ahead = false;     // transports ask what follows
  bool announces = true;  // and it can be announced

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
    if (world_.opening_takes > Duration{}) {
      alarm_.at(world_.loop.now() + world_.opening_takes, [this] { opened_.set(); });
      co_await opened_;
    }
    usable_ = !world_.cannot_open;
    co_return world_.cannot_open;
  }
  Task<Report> send(Delivery& delivery, Follow& follow) override {
    world_.note(number_, fmt::format("send {}", delivery.id()));
    if (world_.ahead) {
      const Delivery* const next = co_await follow.next();
      followed_ = next && world_.announces;
      if (followed_) world_.note(number_, fmt::format("announce {}", next->id()));
    }
    co_await sent_;
    Report report;
    report.untried = carried_ && event_->stage == Stage::mail && event_->trouble == Trouble::broken;
    report.was_followed = std::exchange(followed_, false);
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
  bool followed_ = false;
  bool idling_ = false;
  bool woken_ = false;
  std::optional<Event> event_;
  async::Event opened_;
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
  Task<void> before_final_dot(std::span<const std::uint32_t>) override { co_return; }

 private:
  std::string id_;
  mail::Envelope envelope_ = test::make_envelope("ann@example.com", {"bob@example.org"});
  std::vector<std::uint32_t> recipients_{0};
};

// With a line for each lane.
class FakeDesk final : public Desk {
 public:
  bool waits(const Lane& lane) override { return !lines[&lane].empty(); }
  std::size_t waiting(const Lane& lane) override { return lines[&lane].size(); }
  std::optional<Ticket> next(Lane& lane, std::uint64_t most) override {
    return lines[&lane].pop(most, [this](std::uint64_t message) { return recipients[message]; });
  }
  void changed(Lane& lane) override {
    ++changes;
    is_open = lane.open();
    if (on_change) on_change(lane);
  }
  bool misses(const Lane& lane) override { return !lines[&lane].empty(); }
  void knocked(Lane&, const Report&, const std::optional<Event>& failed) override {
    knocks.push_back(failed ? test::shown(*failed) : "let in");
    if (on_knock) on_knock(!failed);
  }
  Task<std::unique_ptr<Delivery>> load(Lane&, Ticket ticket) override {
    loaded.emplace_back(ticket.message, ticket.recipients);
    std::unique_ptr<Delivery> delivery;
    if (ticket.message != gone) delivery = std::make_unique<NumberedDelivery>(ticket.message);
    co_return delivery;
  }
  bool holds(const Delivery& delivery) override { return !outdated.contains(std::string(delivery.id())); }
  void settle(Lane&, std::uint64_t message, const Delivery&, const Report& report) override {
    carried.emplace_back(report.carried.messages, report.carried.recipients);
    settled.push_back(fmt::format("{} {}", message, test::shown(report.recipients.at(0).event)));
    if (on_settle) on_settle();
  }
  bool concerns_lane(Lane&, const Report&) override { return false; }
  void give_back(std::uint64_t message) override { given_back.push_back(message); }
  Task<void> note_site(Lane&) override {
    ++notes;
    if (notes_slowly) co_await noted;
  }
  void turned_down(Lane&, std::uint64_t message) override { turned_down_at.push_back(message); }

  std::map<const Lane*, Line> lines;
  std::map<std::uint64_t, std::uint32_t> recipients;  // of those in a line
  std::vector<std::string> settled;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> carried;  // messages, recipients, as the report says
  std::vector<std::uint64_t> given_back;
  std::vector<std::uint64_t> turned_down_at;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> loaded;  // message, recipients
  std::vector<std::string> knocks;
  std::uint64_t gone = 0;
  std::set<std::string> outdated;
  unsigned notes = 0;
  bool notes_slowly = false;
  async::Event noted;
  unsigned changes = 0;
  bool is_open = true;  // as the lane said last
  std::function<void()> on_settle;
  std::function<void(bool)> on_knock;
  std::function<void(Lane&)> on_change;
};

class LaneTest : public testing::Test {
 protected:
  LaneTest() { site->opening = Opening({}, {}); }  // each message may have a connection of its own

  std::unique_ptr<Lane> make_lane() {
    auto lane = std::make_unique<Lane>(loop, desk, limits, site, quota);
    lane->use(limits, [this] { return std::make_unique<FakeTransport>(world); });
    return lane;
  }
  void enqueue(Lane& lane, Ticket ticket, const std::string& sender = "ann@example.com") {
    desk.recipients[ticket.message] = ticket.recipients;
    desk.lines[&lane].push(sender, ticket.message);
    lane.pump();
  }
  void enqueue(Lane& lane, std::initializer_list<std::uint64_t> messages) {
    for (const std::uint64_t message : messages) enqueue(lane, Ticket{message, 1});
    loop.run();
  }
  std::size_t waiting(const Lane& lane) { return desk.lines[&lane].size(); }
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
    EXPECT_EQ(site->used, 0U);
  }

  test::ManualLoop loop;
  World world{loop};
  FakeDesk desk;
  LaneLimits limits;
  std::shared_ptr<Site> site = std::make_shared<Site>(loop);
  std::shared_ptr<Allowance> quota = std::make_shared<Allowance>();
};

}  // namespace relayd::send
