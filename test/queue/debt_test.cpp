// What the queue remembers of what it owes to tell: reports, and webhooks; and that it was told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/index.hpp"
#include "queue/queue.hpp"
#include "queue/queue_fixture.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;

class QueueDebtTest : public test::QueueFixture {
 protected:
  // Settles with one state for each recipient; of these a report is owed, of those webhooks.
  void end(MessageId id, const std::vector<RecipientState>& states, const std::vector<std::uint32_t>& owed,
           const std::vector<std::uint32_t>& events = {}) {
    Outcome outcome;
    outcome.when = loop.wall_now();
    outcome.next_attempt = loop.wall_now() + 1h;
    outcome.upstream = "office";
    for (std::uint32_t i = 0; i < states.size(); ++i)
      outcome.recipients.push_back({i, states[i], 550, "5.1.1 no such user"});
    queue->settle(shipment(id), outcome, 0, {.recipients = owed, .events = events});
    flush();
  }
  std::vector<std::uint32_t> owed(MessageId id) const {
    const Debt* const debt = queue->debt(id);
    return debt ? debt->recipients : std::vector<std::uint32_t>();
  }
  std::vector<std::uint32_t> owed_events(MessageId id) const {
    const Debt* const debt = queue->debt(id);
    return debt ? debt->events : std::vector<std::uint32_t>();
  }
  MessageId commit_report(MessageId about, const mail::ReportOf& report) {
    Envelope envelope;
    envelope.recipients.push_back({"a@example.org", "NEVER", ""});
    envelope.report = report;
    envelope.report->message = to_string(about);
    return run_task(commit_task("report\r\n", std::move(envelope)), &loop);
  }
};

TEST_F(QueueDebtTest, AMessageThatFailedOwesUntilItIsTold) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, pending}, {0});
  EXPECT_THAT(owed(id), ElementsAre(0));
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(0));
  queue->told(message(id), {{.recipients = {0}}, 0, "1j0m0u4e32g"});
  EXPECT_EQ(queue->debt(id), nullptr);
  reopen();
  EXPECT_EQ(queue->debt(id), nullptr);
  EXPECT_EQ(run_task(queue->history(message(id)), &loop).back().report, "1j0m0u4e32g");
  end(id, {failed, failed}, {1});
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_THAT(owed(id), ElementsAre(1));
}

TEST_F(QueueDebtTest, AMessageThatWasDeliveredStaysUntilThatIsTold) {
  const MessageId id = commit("1\r\n");
  end(id, {delivered}, {0});
  EXPECT_EQ(message(id).state, MessageState::reporting);
  EXPECT_EQ(queue->totals().reporting, 1U);
  reopen();
  EXPECT_EQ(message(id).state, MessageState::reporting);
  queue->hold(message(id));
  queue->retry(message(id));
  loop.advance(24h * 30);
  EXPECT_EQ(message(id).state, MessageState::reporting) << "nobody is left to be sent";
  queue->told(message(id), {{.recipients = {0}}, 0, {}});
  EXPECT_EQ(queue->find(id), nullptr);
  EXPECT_EQ(queue->totals().reporting, 0U);
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(QueueDebtTest, WhoeverCameToBeSeveralIsOwedThatFromTheBeginning) {
  Envelope envelope;
  envelope.sender = envelope.routing_sender = "a@example.org";
  envelope.recipients = {{"b@example.org", "NEVER", ""}, {"c@example.org", "NEVER", ""}};
  envelope.expanded = {{"list@example.org", "SUCCESS", "rfc822;list@example.org"}};
  std::vector<MessageId> called;
  queue->on_debt([&called](MessageId of) { called.push_back(of); });
  const MessageId id = run_task(commit_task("1\r\n", envelope), &loop);
  EXPECT_THAT(called, ElementsAre(id));
  reopen();
  ASSERT_NE(queue->debt(id), nullptr);
  EXPECT_TRUE(queue->debt(id)->expanded);
  EXPECT_EQ(look(id).envelope.expanded.at(0).original_recipient, "rfc822;list@example.org");
  queue->told(message(id), {{.expanded = true}, 0, {}});
  reopen();
  EXPECT_EQ(queue->debt(id), nullptr);
}

TEST_F(QueueDebtTest, AStartNamesAllThatIsOwed) {
  const MessageId first = commit("1\r\n"), second = commit("2\r\n"), third = commit("3\r\n");
  end(first, {failed}, {0});
  end(second, {delivered}, {0});
  end(third, {failed}, {});
  reopen();
  std::vector<MessageId> called;
  queue->on_debt([&called](MessageId of) { called.push_back(of); });
  EXPECT_THAT(called, ElementsAre(first, second));
}

TEST_F(QueueDebtTest, AReportThatIsInTheQueueTellsAStartWhatWasTold) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, failed}, {0, 1});
  const MessageId report = commit_report(id, {"", {0}});
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(1));
  queue->remove(message(report));
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(1)) << "and that is recorded now";
}

TEST_F(QueueDebtTest, AnOldReportDoesNotTellOfWhatFailedLater) {
  const MessageId id = commit("1\r\n");
  end(id, {failed}, {0});
  commit_report(id, {"", {0}});
  queue->told(message(id), {{.recipients = {0}}, 0, {}});
  queue->retry(message(id));
  EXPECT_EQ(queue->debt(id), nullptr);
  end(id, {failed}, {0});
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(0));
}

TEST_F(QueueDebtTest, AReportTellsOfItsOwnRecipientsWhoeverFailedMeanwhile) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, pending}, {0});
  commit_report(id, {"", {0}});
  end(id, {failed, failed}, {1});
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(1));
}

TEST_F(QueueDebtTest, ARetryEndsWhatIsOwedOfThoseWhoAreTriedAgain) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, delivered}, {0, 1});
  queue->retry(message(id));
  EXPECT_THAT(owed(id), ElementsAre(1));
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(1));
}

TEST_F(QueueDebtTest, WhatIsOwedOutlivesTheTimeThatFailedMailIsKept) {
  options.keep_failed = 1h;
  reopen();
  const MessageId id = commit("1\r\n");
  end(id, {failed}, {0});
  loop.advance(2h);
  ASSERT_NE(queue->find(id), nullptr);
  queue->told(message(id), {{.recipients = {0}}, 0, {}});
  loop.advance(5min);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(QueueDebtTest, AWarningIsRememberedWithItsAge) {
  const MessageId id = commit("1\r\n");
  queue->told(message(id), {{}, 14'400, "1j0m0u4e32g"});
  EXPECT_EQ(message(id).warned, 14'400U);
  reopen();
  EXPECT_EQ(message(id).warned, 14'400U);
  commit_report(id, {"", {0}, 86'400});
  reopen();
  EXPECT_EQ(message(id).warned, 86'400U) << "by a report that is in the queue";
}

TEST_F(QueueDebtTest, AWarningDoesNotTellOfAnEnd) {
  const MessageId id = commit("1\r\n");
  commit_report(id, {"", {0}, 14'400});
  end(id, {failed}, {0});
  reopen();
  EXPECT_THAT(owed(id), ElementsAre(0));
  EXPECT_EQ(message(id).warned, 14'400U);
}

TEST_F(QueueDebtTest, WhatIsDeletedWhileItIsSentOwesNothing) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, pending}, {0});
  queue->take(message(id).first);
  queue->remove(message(id));
  EXPECT_EQ(queue->debt(id), nullptr);
}

TEST_F(QueueDebtTest, WhoDeletesAMessageOwesNothing) {
  const MessageId id = commit("1\r\n");
  end(id, {failed}, {0});
  queue->remove(message(id));
  EXPECT_EQ(queue->debt(id), nullptr);
  reopen();
  EXPECT_EQ(queue->debt(id), nullptr);
}

// Until the records before them are let go of: by summaries.
TEST_F(QueueDebtTest, WhatIsOwedAndToldSurvivesSummaries) {
  options.segment_size = 16_KiB;
  reopen();
  const MessageId fails = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(fails, {failed, pending}, {0});
  const MessageId ends = commit("2\r\n");
  end(ends, {delivered}, {0});
  const MessageId warned = commit("3\r\n");
  queue->told(message(warned), {{}, 14'400, {}});
  const MessageId busy = commit("4\r\n");
  for (int i = 0; i < 3000; ++i) end(busy, {pending}, {});
  settle_down();
  reopen();
  EXPECT_THAT(owed(fails), ElementsAre(0));
  EXPECT_EQ(message(ends).state, MessageState::reporting);
  EXPECT_THAT(owed(ends), ElementsAre(0));
  EXPECT_EQ(message(warned).warned, 14'400U);
  queue->told(message(ends), {{.recipients = {0}}, 0, {}});
  EXPECT_EQ(queue->find(ends), nullptr);
}

// --- webhooks ---

TEST_F(QueueDebtTest, WebhooksAreOwedUntilTheyAreTold) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org", "d@example.org"});
  end(id, {delivered, failed, pending}, {}, {0, 1});
  EXPECT_THAT(owed_events(id), ElementsAre(0, 1));
  reopen();
  EXPECT_THAT(owed_events(id), ElementsAre(0, 1));
  EXPECT_THAT(owed(id), IsEmpty());
  queue->told(message(id), {{.events = {0}}, 0, {}});
  reopen();
  EXPECT_THAT(owed_events(id), ElementsAre(1));
  end(id, {delivered, failed, delivered}, {}, {2});
  EXPECT_THAT(owed_events(id), ElementsAre(1, 2));
  queue->told(message(id), {{.events = {1, 2}}, 0, {}});
  reopen();
  EXPECT_EQ(queue->debt(id), nullptr);
  EXPECT_EQ(message(id).state, MessageState::failed);
}

TEST_F(QueueDebtTest, AMessageThatWasDeliveredStaysUntilWebhooksAreTold) {
  const MessageId id = commit("1\r\n");
  end(id, {delivered}, {}, {0});
  EXPECT_EQ(message(id).state, MessageState::reporting);
  reopen();
  EXPECT_EQ(message(id).state, MessageState::reporting);
  loop.advance(24h * 30);
  EXPECT_EQ(message(id).state, MessageState::reporting);
  queue->told(message(id), {{.events = {0}}, 0, {}});
  EXPECT_EQ(queue->find(id), nullptr);
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(QueueDebtTest, AReportAndWebhooksOfOneEndAreToldEachForItself) {
  for (const bool report_first : {true, false}) {
    const MessageId id = commit("1\r\n");
    end(id, {delivered}, {0}, {0});
    reopen();
    EXPECT_THAT(owed(id), ElementsAre(0));
    EXPECT_THAT(owed_events(id), ElementsAre(0));
    const Told reported{{.recipients = {0}}, 0, "1j0m0u4e32g"}, events{{.events = {0}}, 0, {}};
    queue->told(message(id), report_first ? reported : events);
    reopen();
    EXPECT_EQ(message(id).state, MessageState::reporting);
    EXPECT_EQ(owed(id).empty(), report_first);
    EXPECT_EQ(owed_events(id).empty(), !report_first);
    queue->told(message(id), report_first ? events : reported);
    EXPECT_EQ(queue->find(id), nullptr);
    reopen();
    EXPECT_EQ(queue->find(id), nullptr);
  }
}

TEST_F(QueueDebtTest, AnOutcomeAndAStartNameWhatWebhooksAreOwed) {
  std::vector<MessageId> called;
  queue->on_debt([&called](MessageId of) { called.push_back(of); });
  const MessageId first = commit("1\r\n"), second = commit("2\r\n");
  end(first, {failed}, {}, {0});
  end(second, {delivered}, {}, {0});
  EXPECT_THAT(called, ElementsAre(first, second));
  reopen();
  called.clear();
  queue->on_debt([&called](MessageId of) { called.push_back(of); });
  EXPECT_THAT(called, ElementsAre(first, second));
}

TEST_F(QueueDebtTest, AReportThatIsInTheQueueTellsNothingOfWebhooks) {
  const MessageId id = commit("1\r\n");
  end(id, {failed}, {0}, {0});
  commit_report(id, {"", {0}});
  reopen();
  EXPECT_THAT(owed(id), IsEmpty());
  EXPECT_THAT(owed_events(id), ElementsAre(0));
  reopen();
  EXPECT_THAT(owed_events(id), ElementsAre(0));
}

TEST_F(QueueDebtTest, ARetryEndsWhatWebhooksAreOwedOfThoseWhoAreTriedAgain) {
  const MessageId id = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(id, {failed, delivered}, {0}, {0, 1});
  queue->retry(message(id));
  EXPECT_THAT(owed(id), IsEmpty());
  EXPECT_THAT(owed_events(id), ElementsAre(1));
  reopen();
  EXPECT_THAT(owed_events(id), ElementsAre(1));
  end(id, {failed, delivered}, {}, {0});
  reopen();
  EXPECT_THAT(owed_events(id), ElementsAre(0, 1)) << "that is another end";
}

TEST_F(QueueDebtTest, WhatWebhooksAreOwedOutlivesTheTimeThatFailedMailIsKept) {
  options.keep_failed = 1h;
  reopen();
  const MessageId id = commit("1\r\n");
  end(id, {failed}, {}, {0});
  loop.advance(2h);
  ASSERT_NE(queue->find(id), nullptr);
  queue->told(message(id), {{.events = {0}}, 0, {}});
  loop.advance(5min);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(QueueDebtTest, WhoDeletesAMessageOwesWebhooksNothing) {
  const MessageId kept = commit("1\r\n"), sent = commit("2\r\n", {"b@example.org", "c@example.org"});
  end(kept, {failed}, {}, {0});
  end(sent, {failed, pending}, {}, {0});
  queue->remove(message(kept));
  queue->take(message(sent).first);
  queue->remove(message(sent));
  for (const MessageId id : {kept, sent}) EXPECT_EQ(queue->debt(id), nullptr);
  reopen();
  for (const MessageId id : {kept, sent}) EXPECT_EQ(queue->debt(id), nullptr);
}

TEST_F(QueueDebtTest, WhatWebhooksAreOwedSurvivesSummaries) {
  options.segment_size = 16_KiB;
  reopen();
  const MessageId fails = commit("1\r\n", {"b@example.org", "c@example.org"});
  end(fails, {failed, pending}, {0}, {0});
  const MessageId ends = commit("2\r\n");
  end(ends, {delivered}, {}, {0});
  const MessageId told = commit("3\r\n", {"b@example.org", "c@example.org"});
  end(told, {failed, failed}, {}, {0, 1});
  queue->told(message(told), {{.events = {1}}, 0, {}});
  const MessageId busy = commit("4\r\n");
  for (int i = 0; i < 3000; ++i) end(busy, {pending}, {});
  settle_down();
  for (const MessageId id : {fails, ends, told}) ASSERT_NE(entry_of(message(id)).base, 0U);
  for (int start = 0; start < 2; ++start) {
    reopen();
    EXPECT_THAT(owed(fails), ElementsAre(0));
    EXPECT_THAT(owed_events(fails), ElementsAre(0));
    EXPECT_EQ(message(ends).state, MessageState::reporting);
    EXPECT_THAT(owed_events(ends), ElementsAre(0));
    EXPECT_THAT(owed_events(told), ElementsAre(0));
  }
  queue->told(message(ends), {{.events = {0}}, 0, {}});
  EXPECT_EQ(queue->find(ends), nullptr);
}

}  // namespace
}  // namespace relayd::queue
