// owed: what is decided when an outcome is recorded.
#include "relay/owed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd {
namespace {

using config::WebhookEvent;
using queue::RecipientOutcome;
using queue::RecipientState;
using testing::ElementsAre;
using testing::IsEmpty;

class OwedTest : public testing::Test {
 protected:
  OwedTest() {
    config.bounce.from = "mailer-daemon@example.org";
    envelope.sender = "a@example.org";
    envelope.recipients = {{"plain@example.org", "", ""},
                           {"never@example.org", "NEVER", ""},
                           {"success@example.org", "SUCCESS", ""},
                           {"failure@example.org", "SUCCESS,FAILURE", ""}};
  }
  std::vector<std::uint32_t> all(RecipientState state, bool dsn = false) const {
    std::vector<RecipientOutcome> outcomes;
    for (std::uint32_t i = 0; i < envelope.recipients.size(); ++i) outcomes.push_back({i, state, 250, ""});
    return owed(config, envelope, outcomes, dsn).recipients;
  }
  std::vector<std::uint32_t> events(std::vector<RecipientState> states,
                                    WebhookEvent failure = WebhookEvent::failed) const {
    std::vector<RecipientOutcome> outcomes;
    for (std::uint32_t i = 0; i < states.size(); ++i) outcomes.push_back({i, states[i], 250, ""});
    return owed(config, envelope, outcomes, true, failure).events;
  }
  void add_webhook(std::vector<WebhookEvent> events) {
    config.webhooks.emplace_back().events = std::move(events);
  }
  config::Config config;
  mail::Envelope envelope;
};

TEST_F(OwedTest, AFailureIsOwedByNotify) {
  EXPECT_THAT(all(RecipientState::failed), ElementsAre(0, 3));
  EXPECT_THAT(all(RecipientState::failed, true), ElementsAre(0, 3)) << "it did not take them";
}

TEST_F(OwedTest, ADeliveryIsOwedWhereTheUpstreamWillNotTell) {
  EXPECT_THAT(all(RecipientState::delivered), ElementsAre(2, 3));
  EXPECT_THAT(all(RecipientState::delivered, true), IsEmpty());
}

TEST_F(OwedTest, WhoIsStillToBeSentIsOwedNothing) {
  EXPECT_THAT(all(RecipientState::pending), IsEmpty());
  EXPECT_THAT(all(RecipientState::doubtful), IsEmpty());
}

TEST_F(OwedTest, NothingIsOwedOfAReportOrWithoutASenderOfReports) {
  envelope.report = mail::ReportOf{"1j0m0u4e32g", {0}, 0, false};
  EXPECT_THAT(all(RecipientState::failed), IsEmpty());
  envelope.report.reset();
  config.bounce.from.clear();
  EXPECT_THAT(all(RecipientState::failed), IsEmpty());
}

constexpr RecipientState pending = RecipientState::pending, delivered = RecipientState::delivered,
                         failed = RecipientState::failed, doubtful = RecipientState::doubtful;

TEST_F(OwedTest, WebhooksAreOwedTheEndsThatOneOfThemWants) {
  EXPECT_THAT(events({delivered, failed, pending, doubtful}), IsEmpty()) << "there are none";
  add_webhook({WebhookEvent::deferred, WebhookEvent::suppressed});
  EXPECT_THAT(events({delivered, failed, pending, doubtful}), IsEmpty());
  add_webhook({WebhookEvent::delivered});
  EXPECT_THAT(events({delivered, failed, pending, doubtful}), ElementsAre(0));
  add_webhook({WebhookEvent::failed});
  EXPECT_THAT(events({delivered, failed, pending, doubtful}), ElementsAre(0, 1));
}

TEST_F(OwedTest, ForWebhooksAnExpiryIsNoFailure) {
  add_webhook({WebhookEvent::failed});
  EXPECT_THAT(events({failed}), ElementsAre(0));
  EXPECT_THAT(events({failed}, WebhookEvent::expired), IsEmpty());
  config.webhooks = {};
  add_webhook({WebhookEvent::expired});
  EXPECT_THAT(events({failed}), IsEmpty());
  EXPECT_THAT(events({failed}, WebhookEvent::expired), ElementsAre(0));
}

TEST_F(OwedTest, WebhooksHearOfReportsAndOfWhoNeverWantsAReport) {
  add_webhook({WebhookEvent::delivered, WebhookEvent::failed});
  envelope.recipients[0].notify = "NEVER";
  config.bounce.from.clear();
  EXPECT_THAT(events({failed}), ElementsAre(0));
  envelope.report = mail::ReportOf{"1j0m0u4e32g", {0}, 0, false};
  EXPECT_THAT(events({failed}), ElementsAre(0));
}

}  // namespace
}  // namespace relayd
