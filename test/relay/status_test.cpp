// What is copied for the operator of a running relay, in slices of its lanes.
#include "relay/status.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using test::run_task;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class StatusTest : public test::DispatcherFixture {
 protected:
  static constexpr std::size_t many = 1000;

  // Senders "0@office.example" and so on, each with an account of its own.
  void add_accounts(const std::string& upstream, std::size_t count) {
    add_upstream(upstream, {1}).host = "127.0.0.1";
    for (std::size_t i = 0; i < count; ++i) {
      config::RuleUpstream& step =
          add_rule(fmt::format("{}@{}.example", i, upstream), {upstream}).upstreams[0];
      step.username = fmt::format("{} {}", upstream, i);
      step.password.kind = config::SecretSource::Kind::literal;
      step.password.literal = Secret("secret");
    }
  }
  void make_lanes(const std::string& upstream) { dispatcher->steer(upstream, {}, false); }
  void start_with(std::size_t lanes) {
    add_accounts("office", lanes);
    add_accounts("second", 3);
    start();
    make_lanes("office");
  }
  std::vector<const LaneEntry*> lanes() const {
    std::vector<const LaneEntry*> all;
    dispatcher->lanes().for_each([&all](const LaneEntry& lane) { all.push_back(&lane); });
    return all;
  }

  async::Task<watch::Status> ask() {
    return status_of(*queue, dispatcher->lanes(), dispatcher->lines(), loop.now() - std::chrono::hours(1),
                     loop);
  }
  // It comes after the second slice.
  watch::Status ask_while(std::function<void()> meanwhile) {
    async::Task<watch::Status> asked = ask();
    asked.start();
    loop.call_at(loop.now(), std::move(meanwhile));
    EXPECT_FALSE(asked.done());
    loop.run_until([&asked] { return asked.done(); });
    return asked.result();
  }
  static std::set<std::string> accounts(const watch::Status& status) {
    std::set<std::string> all;
    for (const watch::LaneStatus& lane : status.lanes) all.insert(lane.account);
    EXPECT_EQ(all.size(), status.lanes.size());  // none is there twice
    return all;
  }
};

TEST_F(StatusTest, FewLanesAreCopiedAtOnce) {
  start_with(100);
  const watch::Status status = run_task(ask());  // which has no loop to wait for
  EXPECT_THAT(accounts(status), SizeIs(100));
  EXPECT_THAT(status.unused, ElementsAre("second"));
  EXPECT_THAT(status.lanes.front().senders, ElementsAre("0@office.example"));
  EXPECT_EQ(status.uptime, std::chrono::hours(1));
}

TEST_F(StatusTest, ManyLanesAreCopiedInManyTurnsOfTheLoop) {
  start_with(many);
  const std::uint64_t before = loop.calls();
  const watch::Status status = run_task(ask(), &loop);
  EXPECT_GE(loop.calls() - before, many / 100 - 1);
  EXPECT_THAT(accounts(status), SizeIs(many));
  EXPECT_THAT(status.lanes.back().senders, SizeIs(1));
}

TEST_F(StatusTest, LanesThatAreMadeMeanwhileAreThere) {
  start_with(many);
  const watch::Status status = ask_while([this] { make_lanes("second"); });
  EXPECT_THAT(accounts(status), SizeIs(many + 3));
  EXPECT_THAT(status.unused, IsEmpty());
}

TEST_F(StatusTest, LanesMayGoMeanwhile) {
  start_with(many);
  const std::vector<const LaneEntry*> before = lanes();
  const std::string first = before.front()->username, last = before.back()->username;
  const watch::Status status = ask_while([&] {
    // The last of what was copied, the next, and the very last.
    for (const LaneEntry* const lane : {before[199], before[200], before.back()})
      const_cast<Lanes&>(dispatcher->lanes()).remove(*lane);
  });
  EXPECT_THAT(accounts(status), SizeIs(many - 2));
  EXPECT_TRUE(accounts(status).contains(first));
  EXPECT_FALSE(accounts(status).contains(last));
}

TEST_F(StatusTest, AReloadMeanwhileBeginsAnew) {
  start_with(many);
  const watch::Status status = ask_while([this] {
    config = std::make_shared<config::Config>(*config);
    config->senders.erase(config->senders.begin(), config->senders.begin() + 50);
    config->senders[0].match = "new@office.example";
    reload();
  });
  EXPECT_THAT(accounts(status), SizeIs(many - 50));
  EXPECT_FALSE(accounts(status).contains("office 49"));
  EXPECT_THAT(status.lanes.front().senders, ElementsAre("new@office.example"));
}

TEST_F(StatusTest, TellsWhatWaitsAndOfTheDisk) {
  config->queue.reserve = Bytes{12'345};
  start_with(1);
  const queue::MessageId held = commit("text\r\n");
  queue->hold(message(held));
  const watch::Status status = run_task(ask(), &loop);
  EXPECT_EQ(status.totals.held, 1U);
  EXPECT_GT(status.disk.files.count, 0U);
  EXPECT_EQ(status.disk_reserve, Bytes{12'345});
}

}  // namespace
}  // namespace relayd
