// Hostile cases: mail that stays in a line beside a lane that would take it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;

constexpr const char* text = "text\r\n";

// Takes its time.
class SlowDialer final : public async::Dialer {
 public:
  SlowDialer(test::ManualLoop& loop, async::Dialer& behind) : loop_(loop), behind_(behind) {}
  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override {
    times.push_back(loop_.now());
    co_await async::sleep_until(loop_, loop_.now() + takes);
    std::unique_ptr<async::Stream> stream = co_await behind_.dial(host, port, policy, deadline, stop);
    co_return stream;
  }
  Duration takes{};
  std::vector<SteadyTime> times;

 private:
  test::ManualLoop& loop_;
  async::Dialer& behind_;
};

class LinesTroubleTest : public test::DispatcherFixture {
 protected:
  SlowDialer slow{loop, dialer};
  bool gone(MessageId id) { return queue->find(id) == nullptr; }
  // From timer to timer, with all that other threads bring.
  void pass(Duration by) {
    const SteadyTime target = loop.now() + by;
    settle_down();
    while (loop.has_timers() && loop.next_timer() <= target) {
      loop.advance(std::max<Duration>(loop.next_timer() - loop.now(), Duration::zero()));
      settle_down();
    }
    loop.advance(target - loop.now());
    settle_down();
  }
};

// A message that office has failed is bound to backup, whose month is over. Office is well again in seconds.
TEST_F(LinesTroubleTest, WhatMovedOnFlowsBackWhereTheNextUpstreamIsUsedUp) {
  add_upstream("office", {1});
  add_upstream("backup", {2}).limits.quota = std::vector<config::Quota>{{1, config::Quota::Period::month}};
  add_rule("a@example.org", {"office", "backup"});
  add_rule("*", {"backup"});
  start();
  expect(2, greeting() + taken());
  const MessageId first = commit(text);  // office refuses, backup takes it: its month is over
  run_until_attempts(2);
  EXPECT_TRUE(gone(first));
  EXPECT_FALSE(dispatcher->steer("office", "", false).empty());
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 450 4.7.1 rate limit exceeded\n S: 503 No\n S: 503 No\n");
  expect(1, greeting() + taken() + taken() + taken());
  expect(1, greeting() + taken() + taken() + taken());
  pass(10s);
  const MessageId second = commit(text);  // office is too busy just now
  pass(1s);
  pass(2h);
  const MessageId third = commit(text);
  pass(1h);
  EXPECT_TRUE(gone(third));
  EXPECT_TRUE(gone(second)) << "state " << static_cast<int>(message(second).state) << " route_step "
                            << int{shipment(second).route_step} << ", line " << shipment(second).line;
}

// Both are away; backup, which has one connection, was left first. Office is back in seconds, backup never.
TEST_F(LinesTroubleTest, WhatMovedOnFlowsBackWhereTheNextUpstreamIsDown) {
  add_upstream("office", {1}).limits.connections = 4;
  add_upstream("backup", {2}).limits.connections = 1;
  add_rule("*", {"office", "backup"});
  start();
  std::vector<MessageId> ids;
  // The operator's pause makes them stand in the line together.
  dispatcher->steer("office", "", true);
  dispatcher->steer("backup", "", true);
  for (int i = 0; i < 8; ++i) ids.push_back(commit(text));
  dispatcher->steer("backup", "", false);
  dispatcher->steer("office", "", false);
  settle_down();
  for (int i = 0; i < 20; ++i)
    expect(1, greeting() + taken() + taken() + taken() + taken() + taken() + taken() + taken() + taken());
  pass(4h);
  std::size_t left = 0;
  for (const MessageId id : ids) left += !gone(id);
  EXPECT_EQ(left, 0U) << "of " << ids.size() << " beside a healthy office; dials: " << dials();
  for (const MessageId id : ids)
    if (!gone(id)) {
      EXPECT_EQ(int{shipment(id).route_step}, 0);
      queue->retry(message(id));  // does not help, either
      dispatcher->clear_way(message(id));
    }
  pass(1h);
  left = 0;
  for (const MessageId id : ids) left += !gone(id);
  EXPECT_EQ(left, 0U) << "after `queue retry`";
  pass(24h * 6);
  std::size_t failed = queue->totals().failed;
  EXPECT_EQ(failed, 0U) << "have expired beside a healthy office";
}

// The probe rides on a warm connection, and its message has gone by then: the next one's turn has come.
TEST_F(LinesTroubleTest, AProbeWhoseMessageHasGoneLetsTheNextOneTry) {
  add_upstream("office", {1}).limits.idle = 6h;
  add_rule("*", {"office"});
  start();
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 450 4.7.1 too fast, rate limit exceeded\n S: 503 No\n S: 503 No\n"
                "C: RSET\n S: 250 Ok\n" +
                taken());
  const MessageId first = commit(text);
  run_until_attempts(1);
  const MessageId second = commit(text);
  pass(1s);
  ASSERT_EQ(peers.size(), 1U);
  ASSERT_FALSE(peers[0]->closed());
  loop.set_wall(loop.wall_now() + config->queue.lifetime);
  queue->renew(message(second));
  pass(10min);
  EXPECT_EQ(message(first).state, MessageState::failed);
  EXPECT_EQ(complaints(), "");
  EXPECT_TRUE(gone(second)) << "waits for a warm connection's idle time";
}

// One recipient may have been taken by office, the other has not been tried: it does not wait for office.
TEST_F(LinesTroubleTest, OthersThanTheDoubtfulDoNotWaitForALaneThatCloses) {
  config::Upstream& office = add_upstream("office", {1});
  office.limits.recipients_per_message = 1;
  office.limits.rate = std::vector<config::Rate>{{1, 2min}};
  add_upstream("backup", {2});
  add_rule("*", {"office", "backup"});
  start();
  expect(1, greeting() + envelope({"b@example.org"}) + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text, {"b@example.org", "c@example.org"});
  run_until_attempts(1);
  ASSERT_TRUE(message(id).in_doubt());
  ASSERT_EQ(message(id).unsent(), 2U);
  for (int i = 0; i < 3; ++i) expect(2, greeting() + envelope({"c@example.org"}) + "S: 250 Ok\n" + content());
  pass(70s);  // its time has come, and office's pace lets nothing go
  dispatcher->steer("office", "", true);
  pass(12h);
  EXPECT_EQ(message(id).unsent(), 1U) << "attempts " << attempts.size();
}

// Three ports, none of which answers, are one trouble: the pauses grow as they do with one.
TEST_F(LinesTroubleTest, APortMoreDoublesNoPause) {
  add_upstream("office", {1, 3, 5});
  add_rule("*", {"office"});
  start(slow);
  commit(text);
  pass(3min);
  std::vector<std::int64_t> pauses;
  for (std::size_t i = 3; i < slow.times.size(); i += 3)
    pauses.push_back(std::chrono::round<std::chrono::seconds>(slow.times[i] - slow.times[i - 1]).count());
  ASSERT_GE(pauses.size(), 4U);
  pauses.resize(4);
  EXPECT_THAT(pauses, testing::ElementsAre(5, 10, 20, 40));
}

}  // namespace
}  // namespace relayd
