// Messages that end without a delivery: when their lifetime is over, and how many of them at a time.
//
// RELAYD_MESSAGES=1000000 build/release/test/relay_test --gtest_filter=GiveUpTest.* tells the peak of memory
// and the longest turn of the loop for so many.
#include "relay/give_up.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;

constexpr std::size_t most_at_once = 32;

class GiveUpTest : public test::DispatcherFixture {
 protected:
  void SetUp() override {
    DispatcherFixture::SetUp();
    config->queue.retry.first = config->queue.retry.maximum = 60s;
    add_upstream("office", {1});  // refuses connections
    add_rule("*", {"office"});
  }

  void commit_many(std::size_t count) {
    constexpr std::size_t together = 1000;
    queue::Envelope envelope;
    envelope.sender = envelope.routing_sender = "a@example.org";
    envelope.recipients = {{"b@example.org", "", ""}};
    for (std::size_t done = 0; done < count;) {
      std::vector<async::Task<MessageId>> tasks;
      for (; tasks.size() < together && done < count; ++done)
        tasks.push_back(commit_task("text\r\n", envelope));
      for (auto& task : tasks) task.start();
      for (auto& task : tasks) loop.run_until([&task] { return task.done(); });
    }
  }

  static std::size_t count_wanted() {
    const char* const wanted = std::getenv("RELAYD_MESSAGES");
    return wanted ? std::strtoul(wanted, nullptr, 10) : 3000;
  }
  static std::size_t peak_memory() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
  }

  // Until all have failed: their number, and how many were under way at most.
  std::size_t run_until_failed(std::size_t count) {
    std::size_t most = 0;
    Duration longest{};
    loop.after_each = [&](Duration took) {
      most = std::max(most, dispatcher->being_given_up());
      longest = std::max(longest, took);
    };
    const std::size_t before = peak_memory();
    while (queue->totals().failed < count) advance(8ms);
    loop.after_each = nullptr;
    std::cout << count << " messages given up: " << (peak_memory() - before) / 1024
              << " KiB more, longest turn "
              << std::chrono::duration_cast<std::chrono::microseconds>(longest).count() << " us\n";
    return most;
  }
};

TEST_F(GiveUpTest, OfVeryManyMessagesAFewAreUnderWayAtATime) {
  const std::size_t count = count_wanted();
  commit_many(count);
  config->queue.lifetime = 1s;
  loop.advance(2s);
  start();
  const std::size_t most = run_until_failed(count);
  EXPECT_EQ(most, most_at_once);
}

TEST_F(GiveUpTest, ARuleThatRejectsAllDoesNotHurryEither) {
  commit_many(500);
  config->senders.front().upstreams.clear();
  config->senders.front().reject = "550 5.7.1 No more";
  start();
  EXPECT_EQ(run_until_failed(500), most_at_once);
}

TEST_F(GiveUpTest, WhoeverSubscribedHearsOfIt) {
  const MessageId id = commit("text\r\n", {"b@example.org", "c@example.org"});
  config->queue.lifetime = 1s;
  loop.advance(2s);
  start();
  EXPECT_EQ(run_until_failed(1), 1U);
  EXPECT_EQ(given_up, std::vector{queue::to_string(id) + " 2 not delivered within 1 s"});
  EXPECT_TRUE(attempts.empty());
}

TEST_F(GiveUpTest, WebhooksThatWantExpiriesAreOwedThemAndNoFailures) {
  config->webhooks.emplace_back().events = {config::WebhookEvent::expired};
  const MessageId expired = commit("text\r\n", {"b@example.org", "c@example.org"});
  config->queue.lifetime = 1s;
  loop.advance(2s);
  start();
  run_until_failed(1);
  ASSERT_NE(queue->debt(expired), nullptr);
  EXPECT_EQ(queue->debt(expired)->events, (std::vector<std::uint32_t>{0, 1}));
  config->senders.front().upstreams.clear();
  config->senders.front().reject = "550 5.7.1 No more";
  const MessageId rejected = commit("text\r\n");
  run_until_failed(2);
  EXPECT_EQ(queue->debt(rejected), nullptr);
}

TEST_F(GiveUpTest, AClockThatIsAYearAheadDoesNotHurryEither) {
  commit_many(500);
  loop.set_wall(loop.wall_now() + std::chrono::days(365));
  start();
  EXPECT_EQ(run_until_failed(500), most_at_once);
}

TEST_F(GiveUpTest, AClockThatIsAYearBehindEndsNothing) {
  const MessageId id = commit("text\r\n");
  loop.set_wall(loop.wall_now() - std::chrono::days(365));
  start();
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
}

TEST_F(GiveUpTest, AClockThatWasNotSetYetEndsNothing) {
  const WallTime right = loop.wall_now();
  loop.set_wall(WallTime(10s));
  const MessageId id = commit("text\r\n");
  loop.set_wall(right);
  start();
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(message(id).lives_from, right);
  // And from then on its lifetime is as long as any.
  advance(std::chrono::seconds(config->queue.lifetime) + 1s);
  EXPECT_EQ(message(id).state, MessageState::failed);
}

TEST_F(GiveUpTest, AnExpiredMessageThatIsTriedAgainHasItsWholeLifetime) {
  const MessageId id = commit("text\r\n");
  loop.advance(std::chrono::seconds(config->queue.lifetime) + 1s);
  start();
  while (message(id).state != MessageState::failed) advance(1s);
  queue->retry(message(id));
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
}

}  // namespace
}  // namespace relayd
