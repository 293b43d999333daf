// Reporter: what is owed is written, once, in time and not too often.
#include "relay/reporter.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>

#include "relay/lanes_world.hpp"
#include "tell/log.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::RecipientState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;

class ReporterTest : public test::LanesWorld {
 protected:
  void SetUp() override {
    LanesWorld::SetUp();
    add_upstream("office", {1});
    add_rule("*", {"office"});
    config->bounce.from = "mailer-daemon@example.org";
    publisher_.subscribe({.reported = [this](const tell::Reported& report) {
      told.push_back(
          fmt::format("{} to {} {}", tell::recipients_text(report.about), report.to, report.reason));
    }});
    start();
  }
  void TearDown() override {
    stop();
    LanesWorld::TearDown();
  }
  void start() {
    open();
    const TablesResult tables = make_tables(*config);
    setup.access = std::make_shared<const Access>(config->access, tables.tables);
    setup.aliases = make_aliases(*config, tables.tables).aliases;
    policy.emplace(loop, log, publisher_, *queue, *lanes, suppressions, setup);
    reporter.emplace(loop, workers, log, publisher_, *queue, *lanes, *policy, setup);
    queue->on_debt([this](queue::MessageId id) { reporter->owe(id); });
    reporter->begin();
  }
  void stop() {
    if (!reporter) return;
    reporter->shut_down();
    run_task(reporter->drained(), &loop);
    queue->on_debt({});
    reporter.reset();
    policy.reset();
  }
  void restart() {
    stop();
    lanes.reset();
    reopen();
    lanes = std::make_unique<Lanes>(loop, workers, log, dialer, book, site_book, desk);
    start();
  }

  // As an attempt ends that owes a report of all who came to an end, and of these webhooks.
  void end(MessageId id, const std::vector<RecipientState>& states,
           const std::vector<std::uint32_t>& events = {}) {
    queue::Outcome outcome;
    outcome.when = loop.wall_now();
    outcome.next_attempt = outcome.when + 30min;
    outcome.upstream = "office";
    outcome.host = "mx.example.net:25";
    std::vector<std::uint32_t> owed;
    for (std::uint32_t i = 0; i < states.size(); ++i) {
      outcome.recipients.push_back({i, states[i], 550, "5.1.1 no such user"});
      if (!queue::is_unsent(states[i])) owed.push_back(i);
    }
    queue->settle(shipment(id), std::move(outcome), 0, {.recipients = owed, .events = events});
  }
  MessageId commit_to(std::vector<mail::Recipient> recipients, const std::string& sender = "a@example.org") {
    mail::Envelope envelope;
    envelope.sender = sender;
    envelope.routing_sender = "a@example.org";
    envelope.recipients = std::move(recipients);
    return run_task(commit_task("Subject: hello\r\n\r\ntext\r\n", std::move(envelope)), &loop);
  }
  void advance(Duration by) {
    loop.advance(by);
    do {
      loop.run_until([this] { return reporter->under_way() == 0; });
      settle_down();
    } while (reporter->under_way() > 0);
  }
  // The messages in the queue that are reports.
  std::vector<MessageId> reports() {
    std::vector<MessageId> found;
    queue->for_each([&](queue::Message& message) {
      if (look(message.id()).envelope.report) found.push_back(message.id());
    });
    return found;
  }
  std::size_t count(const std::string& text, const std::string& what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }

  SuppressionBook suppressions{loop, workers, own_disk, log, publisher_};
  std::optional<IntakePolicy> policy;
  std::optional<Reporter> reporter;
  std::vector<std::string> told;
};

TEST_F(ReporterTest, WhoeverFailsWithinSomeSecondsSharesAReport) {
  const MessageId id = commit_to({{"b@example.org", "", ""}, {"c@example.org", "", ""}});
  end(id, {failed, pending});
  advance(3s);
  EXPECT_THAT(reports(), IsEmpty());
  end(id, {failed, failed});
  advance(3s);
  ASSERT_EQ(reports().size(), 1U);
  const queue::Content report = look(reports()[0]);
  EXPECT_EQ(report.envelope.sender, "");
  EXPECT_EQ(report.envelope.routing_sender, "mailer-daemon@example.org");
  ASSERT_EQ(report.envelope.recipients.size(), 1U);
  EXPECT_EQ(report.envelope.recipients[0].address, "a@example.org");
  EXPECT_EQ(report.envelope.recipients[0].notify, "NEVER");
  EXPECT_EQ(report.envelope.report->message, queue::to_string(id));
  EXPECT_EQ(count(report.body, "Action: failed"), 2U);
  EXPECT_THAT(report.body, HasSubstr("Remote-MTA: dns; mx.example.net"));
  EXPECT_THAT(report.body, HasSubstr("Status: 5.1.1"));
  EXPECT_EQ(queue->debt(id), nullptr);
  EXPECT_THAT(told, ElementsAre("b@example.org,c@example.org to a@example.org "));
}

TEST_F(ReporterTest, ARestartGoesOnWhereTheOtherEnded) {
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  end(id, {failed});
  flush();
  restart();
  EXPECT_THAT(reports(), IsEmpty());
  advance(6s);
  EXPECT_EQ(reports().size(), 1U);
  restart();
  advance(1min);
  EXPECT_EQ(reports().size(), 1U);
}

TEST_F(ReporterTest, WhatWasHandedOnWithoutDsnIsToldAndGone) {
  const MessageId id = commit_to({{"b@example.org", "SUCCESS", ""}});
  end(id, {delivered});
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  EXPECT_THAT(look(reports()[0]).body, HasSubstr("Action: relayed"));
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(ReporterTest, WhoeverBecameSeveralIsToldOnce) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = "a@example.org";
  envelope.recipients = {{"b@example.org", "NEVER", ""}, {"c@example.org", "NEVER", ""}};
  envelope.expanded = {{"list@example.org", "SUCCESS", ""}};
  const MessageId id = run_task(commit_task("Subject: hello\r\n\r\ntext\r\n", envelope), &loop);
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  EXPECT_THAT(look(reports()[0]).body, HasSubstr("Action: expanded"));
  EXPECT_THAT(look(reports()[0]).body, HasSubstr("list@example.org"));
  EXPECT_EQ(queue->debt(id), nullptr);
}

// RFC 3461 5.2.7.1: that mail went to a list is its sender's to know, not the owner's.
TEST_F(ReporterTest, WhoeverSentToAListIsToldOfIt) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = "owner-list@example.org";
  envelope.recipients = {{"b@example.org", "", ""}};
  envelope.expanded = {{"list@example.org", "SUCCESS", ""}};
  envelope.list_sender = {"ann@example.org", "env-1"};
  const MessageId id = run_task(commit_task("Subject: hello\r\n\r\ntext\r\n", envelope), &loop);
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  const queue::Content of_list = look(reports()[0]);
  EXPECT_EQ(of_list.envelope.recipients.at(0).address, "ann@example.org");
  for (const char* line : {"To: <ann@example.org>", "Action: delivered", "Original-Envelope-Id: env-1"})
    EXPECT_THAT(of_list.body, HasSubstr(line));
  end(id, {failed});
  advance(6s);
  ASSERT_EQ(reports().size(), 2U);
  EXPECT_EQ(look(reports()[1]).envelope.recipients.at(0).address, "owner-list@example.org");
}

TEST_F(ReporterTest, NobodyIsToldOfAReportOrByTheNullSender) {
  const MessageId null = commit_to({{"b@example.org", "", ""}}, "");
  end(null, {failed});
  const MessageId first = commit_to({{"b@example.org", "", ""}});
  end(first, {failed});
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  const MessageId report = reports()[0];
  end(report, {failed});
  advance(1min);
  EXPECT_THAT(reports(), ElementsAre(report));
  EXPECT_EQ(queue->debt(null), nullptr);
  EXPECT_EQ(queue->debt(report), nullptr);
}

TEST_F(ReporterTest, WhoeverAnswersByItselfIsNotAnswered) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = "a@example.org";
  envelope.recipients = {{"b@example.org", "", ""}};
  const MessageId id = run_task(commit_task("Auto-Submitted: auto-replied\r\n\r\ntext\r\n", envelope), &loop);
  end(id, {failed});
  advance(6s);
  EXPECT_THAT(reports(), IsEmpty());
  EXPECT_EQ(queue->debt(id), nullptr);
}

TEST_F(ReporterTest, AboveTheLimitOneSummaryTellsTheRest) {
  config->bounce.limit.count = 2;
  for (int i = 0; i < 5; ++i) end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 2U);
  EXPECT_EQ(std::ranges::count_if(
                told, [](const std::string& line) { return line.find("bounce.limit") != std::string::npos; }),
            3);
  advance(1h);
  ASSERT_EQ(reports().size(), 3U);
  const queue::Content summary = look(reports().back());
  EXPECT_EQ(summary.envelope.recipients.at(0).address, "mailer-daemon@example.org");
  EXPECT_THAT(summary.body, HasSubstr("550 5.1.1"));
  EXPECT_THAT(summary.body, HasSubstr("3"));
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 4U) << "in a new hour";
}

TEST_F(ReporterTest, LateMailIsWarnedOfOnceForEachAge) {
  config->bounce.delay_warning = {1h, 4h};
  const MessageId id = commit_to({{"b@example.org", "", ""}, {"c@example.org", "NEVER", ""}});
  end(id, {pending, pending});
  advance(59min);
  EXPECT_THAT(reports(), IsEmpty());
  advance(2min);
  ASSERT_EQ(reports().size(), 1U);
  const std::string text = look(reports()[0]).body;
  EXPECT_EQ(count(text, "Action: delayed"), 1U);
  EXPECT_THAT(text, HasSubstr("Will-Retry-Until:"));
  advance(2h);
  EXPECT_EQ(reports().size(), 1U);
  restart();
  advance(2min);
  EXPECT_EQ(reports().size(), 1U);
  advance(1h);
  EXPECT_EQ(reports().size(), 2U);
}

TEST_F(ReporterTest, OfSeveralAgesThatAreOverTheOldestCounts) {
  config->bounce.delay_warning = {1h, 4h};
  commit_to({{"b@example.org", "", ""}});
  stop();
  loop.advance(5h);
  start();
  advance(3min);
  EXPECT_EQ(reports().size(), 1U);
}

TEST_F(ReporterTest, HeldMailAndReportsAreNotLate) {
  config->bounce.delay_warning = {1h};
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  queue->hold(message(id));
  advance(2h);
  EXPECT_THAT(reports(), IsEmpty());
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  advance(2h);
  EXPECT_EQ(reports().size(), 1U);
}

TEST_F(ReporterTest, AWarningThatWouldWaitWhereTheMailWaitsIsNotWritten) {
  config->bounce.delay_warning = {1h};
  commit_to({{"b@example.org", "", ""}});
  lane("mailer-daemon@example.org").pause(loop.now() + 2h);
  advance(90min);
  EXPECT_THAT(reports(), IsEmpty());
  lane("mailer-daemon@example.org").resume();
}

TEST_F(ReporterTest, WhatIsOwedWhenReportsAreTurnedOffEndsWithThatAndDoesNotComeBack) {
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  end(id, {failed});
  config->bounce.from.clear();
  advance(6s);
  EXPECT_THAT(told, ElementsAre("b@example.org to  `bounce.from` is not set any more"));
  EXPECT_EQ(queue->debt(id), nullptr);
  config->bounce.from = "mailer-daemon@example.org";
  advance(1min);
  restart();
  advance(1min);
  EXPECT_THAT(reports(), IsEmpty());
}

TEST_F(ReporterTest, AReportGoesWhereItsAddressLeads) {
  config::Staging staging;
  staging.redirect = "dev@example.org";
  setup.staging = std::make_shared<const rewrite::Staging>(staging);
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  const queue::Content report = look(reports()[0]);
  EXPECT_EQ(report.envelope.recipients.at(0).address, "dev@example.org");
  EXPECT_THAT(report.body, HasSubstr("To: <a@example.org>\r\n"));
}

TEST_F(ReporterTest, StagingDoesNotShowTheSenderWhoElseIsTold) {
  config::Staging staging;
  staging.redirect = "dev@example.org";
  staging.allow = {"a@example.org"};
  setup.staging = std::make_shared<const rewrite::Staging>(staging);
  config->bounce.to = {"ops@example.org"};
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  ASSERT_EQ(reports().size(), 1U);
  const queue::Content report = look(reports()[0]);
  ASSERT_EQ(report.envelope.recipients.size(), 2U);
  EXPECT_EQ(report.envelope.recipients[0].address, "a@example.org");
  EXPECT_EQ(report.envelope.recipients[1].address, "dev@example.org");
  EXPECT_EQ(count(report.body, "ops@example.org"), 0U);
}

TEST_F(ReporterTest, WhatTheOperatorDeletesGoesOnceItsSenderWasTold) {
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  end(id, {failed});
  reporter->remove_when_told(id);
  EXPECT_NE(queue->find(id), nullptr);
  advance(6s);
  EXPECT_EQ(reports().size(), 1U);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(ReporterTest, WhatTheOperatorDeletesGoesOnceWebhooksWereToldToo) {
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  end(id, {failed}, {0});
  reporter->remove_when_told(id);
  advance(6s);
  EXPECT_EQ(reports().size(), 1U);
  ASSERT_NE(queue->find(id), nullptr);
  EXPECT_THAT(queue->debt(id)->events, ElementsAre(0));
  queue->told(message(id), {{.events = {0}}, 0, {}});
  advance(6s);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(ReporterTest, WhatWebhooksAloneAreOwedIsNotItsMatter) {
  queue::Outcome outcome;
  outcome.when = loop.wall_now();
  outcome.recipients.push_back({0, failed, 550, "5.1.1 no such user"});
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  queue->settle(shipment(id), std::move(outcome), 0, {.events = {0}});
  flush();
  loop.advance(6s);
  EXPECT_EQ(reporter->under_way(), 0U);
  EXPECT_THAT(queue->debt(id)->events, ElementsAre(0));
  EXPECT_THAT(told, IsEmpty());
  reporter->remove_when_told(id);
  advance(6s);
  ASSERT_NE(queue->find(id), nullptr);
  queue->told(message(id), {{.events = {0}}, 0, {}});
  advance(6s);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(ReporterTest, AFullDiskPutsReportsOffAndCostsNothingOfTheLimit) {
  config->bounce.limit.count = 2;
  for (int i = 0; i < 2; ++i) end(commit_to({{"b@example.org", "", ""}}), {failed});
  flush();
  options.reserve = Bytes{std::uint64_t{1} << 60};
  restart();
  advance(6s);
  for (int i = 0; i < 5; ++i) advance(1min);
  EXPECT_THAT(told, IsEmpty());
  options.reserve = 0_B;
  restart();
  advance(6s);
  EXPECT_EQ(reports().size(), 2U);
}

TEST_F(ReporterTest, AClockThatIsSetSilencesNobodyForLonger) {
  config->bounce.limit.count = 1;
  loop.set_wall(loop.wall_now() + 24h * 365);
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 1U);
  loop.set_wall(loop.wall_now() - 24h * 365);
  advance(1h);
  EXPECT_EQ(reports().size(), 2U) << "the summary";
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 3U);
}

TEST_F(ReporterTest, MailThatIsLateDoesNotSilenceMailThatFailed) {
  config->bounce.limit.count = 1;
  config->bounce.delay_warning = {1h};
  for (int i = 0; i < 3; ++i) commit_to({{"b@example.org", "", ""}});
  advance(61min);
  EXPECT_EQ(reports().size(), 1U);
  end(commit_to({{"b@example.org", "", ""}}), {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 2U);
}

TEST_F(ReporterTest, WhatIsTriedAgainWhileItsReportIsWrittenIsNotReported) {
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  end(id, {failed});
  flush();
  loop.advance(6s);
  ASSERT_EQ(reporter->under_way(), 1U);
  queue->retry(message(id));
  advance(1s);
  EXPECT_THAT(reports(), IsEmpty());
  end(id, {failed});
  advance(6s);
  EXPECT_EQ(reports().size(), 1U);
}

TEST_F(ReporterTest, WhoeverFailsWhileAReportIsWrittenHasTheNext) {
  const MessageId id = commit_to({{"b@example.org", "", ""}, {"c@example.org", "", ""}});
  end(id, {failed, pending});
  flush();
  loop.advance(6s);
  ASSERT_EQ(reporter->under_way(), 1U);
  loop.run();
  queue::Outcome outcome;
  outcome.when = loop.wall_now();
  outcome.upstream = "office";
  outcome.recipients.push_back({1, failed, 550, "5.1.1 no such user"});
  queue->settle(shipment(id), std::move(outcome), 0, {.recipients = {1}});
  advance(1s);
  advance(6s);
  std::size_t named = 0;
  for (const MessageId each : reports())
    named += count(look(each).body, "Final-Recipient: rfc822; c@example.org");
  EXPECT_EQ(named, 1U);
  EXPECT_EQ(queue->debt(id), nullptr);
}

TEST_F(ReporterTest, AWarningByAClockThatWasAheadTakesNoneAway) {
  config->bounce.delay_warning = {1h, 24h};
  const MessageId id = commit_to({{"b@example.org", "", ""}});
  const WallTime taken = loop.wall_now();
  loop.set_wall(taken + 25h);
  advance(2min);
  ASSERT_EQ(reports().size(), 1U);
  queue->remove(message(reports()[0]));
  loop.set_wall(taken + 2min);
  for (int i = 0; i < 3; ++i) advance(2min);
  EXPECT_THAT(reports(), IsEmpty());
  advance(1h);
  EXPECT_EQ(reports().size(), 1U);
  for (int i = 0; i < 3; ++i) advance(2min);
  EXPECT_EQ(reports().size(), 1U) << "once";
  EXPECT_EQ(message(id).warned, 3600U);
  restart();
  advance(2min);
  EXPECT_EQ(reports().size(), 1U);
  advance(23h);
  advance(2min);
  EXPECT_EQ(reports().size(), 2U);
}

TEST_F(ReporterTest, WhatWasTakenBeforeTheClockWasRightIsNotLate) {
  config->bounce.delay_warning = {1h};
  const WallTime right = loop.wall_now();
  loop.set_wall(WallTime(std::chrono::hours(24)));
  commit_to({{"b@example.org", "", ""}});
  loop.set_wall(right);
  advance(2min);
  EXPECT_THAT(reports(), IsEmpty());
}

TEST_F(ReporterTest, VeryManyFailuresLeaveOneSummary) {
  constexpr std::size_t many = 2000;
  config->bounce.limit.count = 10;
  for (std::size_t i = 0; i < many; ++i) end(commit_to({{"b@example.org", "", ""}}), {failed});
  while (told.size() < many) advance(1s);
  EXPECT_EQ(reports().size(), 10U);
  advance(1h);
  EXPECT_EQ(reports().size(), 11U);
  EXPECT_THAT(look(reports().back()).body, HasSubstr("1990"));
}

}  // namespace
}  // namespace relayd
