// WebhookSender: requests to a receiver that answers, refuses, hangs and goes.
#include "relay/webhook_sender.hpp"

#include <gmock/gmock.h>

#include <cstdio>
#include <set>

#include "relay/webhook_world.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using test::ForgettingDisk;
using test::messages_in;
using test::ReceiverScript;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class WebhookSenderTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void TearDown() override {
    stop();
    std::fclose(log_file_);
  }

  void start() {
    spool = std::make_unique<WebhookSpool>(disk, "webhooks/here");
    sender = std::make_unique<WebhookSender>(loop, workers, log, *spool, receiver());
    sender->begin();
    settle();
  }
  void stop() {
    sender->shut_down();
    test::run_task(sender->drained(), &loop);
    sender.reset();
    spool.reset();
  }
  void crash() {
    stop();
    disk.restart(0);
    start();
  }
  WebhookSender::Receiver receiver() {
    return {"https://hooks.example/here", {"a secret of some length, or other"}, script.client(loop)};
  }
  void settle() { test::settle(workers, loop); }
  void pass(Duration time) {
    loop.advance(time);
    settle();
  }
  void tell(int number) {
    spool->append(test::webhook_line(number, loop.wall_now()), 64_KiB);
    sender->wake();
    settle();
  }
  // How long it waits for the next request.
  Duration wait() {
    const std::size_t before = script.requests.size();
    Duration waited{};
    while (script.requests.size() == before && loop.has_timers() && waited < 48h) {
      const Duration step = loop.next_timer() - loop.now();
      waited += step;
      pass(step);
    }
    return waited;
  }

  // The events in the log, in their order.
  std::vector<std::string> logged() {
    log.flush();
    std::string text(4096, '\0');
    std::rewind(log_file_);
    text.resize(std::fread(text.data(), 1, text.size(), log_file_));
    return test::values_in(text, R"("event":")");
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};
  ForgettingDisk disk;
  std::FILE* log_file_ = std::tmpfile();
  telemetry::Log log{::fileno(log_file_), telemetry::Log::Format::json, telemetry::Level::debug,
                     telemetry::Log::Addresses::full};
  ReceiverScript script;
  std::unique_ptr<WebhookSpool> spool;
  std::unique_ptr<WebhookSender> sender;
};

TEST_F(WebhookSenderTest, WhatComesIsToldInItsOrder) {
  for (int i = 1; i < 4; ++i) tell(i);
  EXPECT_THAT(script.told(), ElementsAre("m000001", "m000002", "m000003"));
  EXPECT_EQ(sender->status().sent, 3U);
  EXPECT_EQ(sender->status().waiting, 0U);
  EXPECT_FALSE(loop.has_timers());
}

TEST_F(WebhookSenderTest, ARequestIsSignedByItsIdItsTimeAndItsBody) {
  tell(1);
  ASSERT_THAT(script.requests, SizeIs(1));
  const http::Request& request = script.requests[0];
  const std::vector<std::string> secrets = {"a secret of some length, or other"};
  const std::int64_t seconds = 1'790'000'000;
  EXPECT_EQ(script.header(request, "webhook-timestamp"), "1790000000");
  EXPECT_EQ(script.header(request, "webhook-signature"),
            tell::webhook_signature(secrets, script.header(request, "webhook-id"), seconds, request.body));
  EXPECT_EQ(script.header(request, "Content-Type"), "application/json");
}

TEST_F(WebhookSenderTest, AFailingReceiverIsTriedByTheScheduleOverRestarts) {
  script.answers = {"500", "refused", "302", "404", "503", "500", "500"};
  tell(1);
  const auto about = [](Duration wanted) {
    return testing::AllOf(testing::Ge(wanted * 9 / 10 - 1s), testing::Le(wanted * 11 / 10 + 1s));
  };
  EXPECT_THAT(wait(), about(5s));
  EXPECT_THAT(wait(), about(5min));
  crash();
  EXPECT_THAT(wait(), about(30min));
  EXPECT_THAT(wait(), about(2h));
  EXPECT_THAT(wait(), about(5h));
  EXPECT_THAT(wait(), about(10h));
  ASSERT_THAT(script.requests, SizeIs(7));
  for (const http::Request& each : script.requests) {
    EXPECT_EQ(each.body, script.requests[0].body);
    EXPECT_EQ(script.header(each, "webhook-id"), script.header(script.requests[0], "webhook-id"));
  }
  EXPECT_NE(script.header(script.requests[6], "webhook-signature"),
            script.header(script.requests[0], "webhook-signature"));
  EXPECT_GE(wait(), 8h);  // by then it is a day old
  EXPECT_THAT(script.requests, SizeIs(7));
  EXPECT_EQ(sender->status().dropped, 1U);
}

TEST_F(WebhookSenderTest, SomethingNewIsNoReasonToTryEarlier) {
  script.answers = {"500"};
  tell(1);
  tell(2);
  EXPECT_THAT(script.requests, SizeIs(1));
  EXPECT_EQ(sender->status().failure, "HTTP status 500");
  wait();
  EXPECT_THAT(script.told(), ElementsAre("m000001", "m000002"));
  EXPECT_EQ(sender->status().failure, "");
}

TEST_F(WebhookSenderTest, RetryAfterMakesItLater) {
  script.answers = {"429 3600", "503 Mon, 21 Sep 2026 16:00:00 GMT", "500 nonsense",
                    "503 99999999999999999999"};
  tell(1);
  EXPECT_EQ(wait(), 1h);
  EXPECT_EQ(loop.wall_now(), WallTime(1'790'003'600s));
  // The clock began at 2026-09-21 14:13:20.
  EXPECT_EQ(wait(), WallTime(std::chrono::sys_days(std::chrono::year(2026) / 9 / 21) + 16h) -
                        WallTime(1'790'003'600s));
  EXPECT_LE(wait(), 33min);
}

TEST_F(WebhookSenderTest, RetryAfterIsBelievedForADayAtMost) {
  script.answers = {"503 99999999999999999999"};
  tell(1);
  EXPECT_EQ(sender->status().next, loop.wall_now() + 24h);
}

TEST_F(WebhookSenderTest, OneThatIsGoneIsLeftAloneUntilAReload) {
  script.answers = {"410"};
  tell(1);
  tell(2);
  EXPECT_TRUE(sender->status().disabled);
  EXPECT_FALSE(loop.has_timers());
  EXPECT_THAT(script.requests, SizeIs(1));
  sender->use(receiver());
  settle();
  EXPECT_FALSE(sender->status().disabled);
  EXPECT_THAT(script.told(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSenderTest, ACrashAfterTheRequestRepeatsIt) {
  script.answers = {"hangs"};
  tell(1);
  tell(2);
  crash();
  ASSERT_THAT(script.requests, SizeIs(3));
  EXPECT_EQ(script.requests[1].body, script.requests[0].body);
  EXPECT_EQ(script.header(script.requests[1], "webhook-id"), script.header(script.requests[0], "webhook-id"));
  EXPECT_THAT(messages_in(script.requests[2].body), ElementsAre("m000002"));
}

TEST_F(WebhookSenderTest, OneThatHangsDoesNotHoldUpTheEnd) {
  script.answers = {"hangs"};
  tell(1);
  sender->shut_down();
  test::run_task(sender->drained(), &loop);
  EXPECT_THAT(script.told(), IsEmpty());
  EXPECT_EQ(sender->status().failure, "");  // nothing that it did
}

TEST_F(WebhookSenderTest, OneThatHangsIsGivenTwentySeconds) {
  script.answers = {"hangs"};
  tell(1);
  EXPECT_EQ(script.deadlines.back() - loop.now(), Duration(20s));
}

TEST_F(WebhookSenderTest, ADiskThatFailsIsTriedAgain) {
  tell(1);
  spool->append(test::webhook_line(2, loop.wall_now()), 64_KiB);
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  sender->wake();
  settle();
  EXPECT_THAT(script.told(), ElementsAre("m000001"));
  disk.heal();
  pass(1min);
  EXPECT_THAT(script.told(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSenderTest, ADiskThatFailsIsSaidOnceAndSoIsThatItWorks) {
  spool->append(test::webhook_line(1, loop.wall_now()), 64_KiB);
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  sender->wake();
  settle();
  for (int i = 0; i < 3; ++i) pass(1min);
  EXPECT_THAT(logged(), ElementsAre("webhooks_not_written"));
  disk.heal();
  for (int i = 0; i < 3; ++i) pass(1min);
  EXPECT_THAT(script.told(), ElementsAre("m000001"));
  EXPECT_THAT(logged(), ElementsAre("webhooks_not_written", "webhooks_written"));
}

TEST_F(WebhookSenderTest, ACursorThatFailsAfterARequestCostsNoEvent) {
  for (int i = 0; i < 12; ++i) {
    script.answers = {"204"};
    spool->append(test::webhook_line(2 * i, loop.wall_now()), 64_KiB);
    sender->wake();
    spool->append(test::webhook_line(2 * i + 1, loop.wall_now()), 64_KiB);
    disk.arm(static_cast<std::size_t>(i) + 1, ForgettingDisk::Fault::fails_once);
    settle();
    disk.heal();
    pass(1min);
  }
  const std::set<std::string> told(script.told().begin(), script.told().end());
  EXPECT_THAT(told, SizeIs(24));
}

TEST_F(WebhookSenderTest, NewSecretsSignFromTheNextRequestOn) {
  tell(1);
  WebhookSender::Receiver other = receiver();
  other.secrets = {"another secret of some length"};
  sender->use(std::move(other));
  tell(2);
  ASSERT_THAT(script.requests, SizeIs(2));
  const http::Request& request = script.requests[1];
  const std::vector<std::string> secrets = {"another secret of some length"};
  EXPECT_EQ(
      script.header(request, "webhook-signature"),
      tell::webhook_signature(secrets, script.header(request, "webhook-id"), 1'790'000'000, request.body));
}

}  // namespace
}  // namespace relayd
