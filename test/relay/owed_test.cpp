// owed: what is decided when an outcome is recorded.
#include "relay/owed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd {
namespace {

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

}  // namespace
}  // namespace relayd
