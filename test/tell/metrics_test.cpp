// Metrics of mail: what is counted of what is told.
#include "tell/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/quiet_log.hpp"

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class MetricsTest : public testing::Test {
 protected:
  void SetUp() override { publisher.subscribe(metrics.subscriber()); }
  void tell(Fate fate, std::string_view reply_class, bool first) {
    publisher.publish(Outcome{.fate = fate,
                              .from = "ann@example.com",
                              .to = "bob@customer.example",
                              .upstream = "office",
                              .account = "relay",
                              .event = event,
                              .reply_class = reply_class,
                              .attempt = 1,
                              .age = 90s,
                              .took = 2s,
                              .size = 1000,
                              .first = first});
  }
  std::string text() const { return telemetry::render(metrics.families()); }

  const smtp::Event event{smtp::Stage::final_dot, smtp::Reply{250, {}, "Ok"}};
  test::QuietLog log;
  Publisher publisher{log};
  Metrics metrics;
};

TEST_F(MetricsTest, AnAttemptIsCountedOnceAndEachOfItsRecipients) {
  tell(Fate::delivered, "none", true);
  tell(Fate::delivered, "none", false);
  tell(Fate::failed, "rcpt", false);
  const std::string all = text();
  const std::string way = "{upstream=\"office\",account=\"relay\",state=";
  EXPECT_THAT(all, HasSubstr("relayd_messages_total" + way + "\"delivered\",class=\"none\"} 1\n"));
  EXPECT_THAT(all, Not(HasSubstr("relayd_messages_total" + way + "\"failed\"")));
  EXPECT_THAT(all, HasSubstr("relayd_recipients_total" + way + "\"delivered\",class=\"none\"} 2\n"));
  EXPECT_THAT(all, HasSubstr("relayd_recipients_total" + way + "\"failed\",class=\"rcpt\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_sent_bytes_total{upstream=\"office\",account=\"relay\"} 1000\n"));
  EXPECT_THAT(all, HasSubstr("relayd_attempt_duration_seconds_bucket{upstream=\"office\",le=\"1\"} 0\n"));
  EXPECT_THAT(all, HasSubstr("relayd_attempt_duration_seconds_bucket{upstream=\"office\",le=\"2.5\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_queue_time_seconds_sum{upstream=\"office\",state=\"delivered\"} 90\n"));
}

TEST_F(MetricsTest, WhatWaitsHasNoTimeInTheQueueYet) {
  tell(Fate::deferred, "temp", true);
  EXPECT_THAT(text(), HasSubstr("state=\"deferred\",class=\"temp\"} 1\n"));
  EXPECT_THAT(text(), Not(HasSubstr("relayd_queue_time_seconds_sum")));
  EXPECT_THAT(text(), Not(HasSubstr("relayd_sent_bytes_total{")));
}

TEST_F(MetricsTest, WhatIsGivenUpHasNoUpstream) {
  const std::vector<mail::Recipient> two(2);
  publisher.publish(GivenUp{Ending::expired, "1j0m0u4e32g", {}, "ann@example.com", two, {}, "too late", 4});
  EXPECT_THAT(
      text(),
      HasSubstr("relayd_messages_total{upstream=\"\",account=\"\",state=\"expired\",class=\"\"} 1\n"));
  EXPECT_THAT(
      text(),
      HasSubstr("relayd_recipients_total{upstream=\"\",account=\"\",state=\"expired\",class=\"\"} 2\n"));
}

TEST_F(MetricsTest, SumsAreOfAllWays) {
  mail::Envelope envelope;
  publisher.publish(Arrival{.kind = Arrival::Kind::accepted, .id = "1", .envelope = envelope});
  publisher.publish(Arrival{.kind = Arrival::Kind::held, .id = "2", .envelope = envelope});
  publisher.publish(Arrival{.kind = Arrival::Kind::discarded, .id = "3", .envelope = envelope});
  tell(Fate::delivered, "none", true);
  tell(Fate::delivered, "none", false);
  tell(Fate::delivered, "late", true);
  tell(Fate::deferred, "temp", true);
  tell(Fate::in_doubt, "lost", true);
  tell(Fate::failed, "rcpt", true);
  const std::vector<mail::Recipient> two(2);
  for (const Ending why : {Ending::expired, Ending::rejected, Ending::deleted})
    publisher.publish(GivenUp{why, "4", {}, "ann@example.com", two, {}, "", 4});
  const Sums sums = metrics.sums();
  EXPECT_EQ(sums.accepted, 2U);
  EXPECT_EQ(sums.delivered, 2U);
  EXPECT_EQ(sums.deferred, 2U);
  EXPECT_EQ(sums.failed, 4U);
  EXPECT_EQ(sums.queue_seconds, 180);
}

TEST_F(MetricsTest, AMessageThatIsDiscardedForSomeArrivesOnce) {
  mail::Envelope envelope;
  envelope.recipients.resize(1);
  const std::vector<mail::Recipient> discarded(2);
  publisher.publish(
      Arrival{.kind = Arrival::Kind::discarded, .id = "1", .envelope = envelope, .to = discarded});
  publisher.publish(
      Arrival{.kind = Arrival::Kind::accepted, .id = "1", .envelope = envelope, .to = {}, .size = 700});
  EXPECT_THAT(text(), HasSubstr("relayd_arrived_messages_total{state=\"accepted\"} 1\n"));
  EXPECT_THAT(text(), Not(HasSubstr("discarded")));
}

TEST_F(MetricsTest, ArrivalsReportsAndSuppressionsAreCounted) {
  const mail::Envelope envelope;
  publisher.publish(
      Arrival{.kind = Arrival::Kind::held, .id = "1", .envelope = envelope, .to = {}, .size = 700});
  publisher.publish(
      Arrival{.kind = Arrival::Kind::discarded, .id = "", .envelope = envelope, .to = {}, .size = 500});
  publisher.publish(Reported{.kind = Reported::Kind::delayed, .report = "1j0m0u4e32g"});
  publisher.publish(Reported{.kind = Reported::Kind::delayed, .reason = "nobody is to be told"});
  publisher.publish(
      Suppressed{.kind = Suppressed::Kind::refused, .from = "", .to = "b@x.example", .reason = ""});
  const std::string all = text();
  EXPECT_THAT(all, HasSubstr("relayd_arrived_messages_total{state=\"held\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_arrived_messages_total{state=\"discarded\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_arrived_bytes_total 700\n"));
  EXPECT_THAT(all, HasSubstr("relayd_reports_total{class=\"delayed\",state=\"written\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_reports_total{class=\"delayed\",state=\"not_written\"} 1\n"));
  EXPECT_THAT(all, HasSubstr("relayd_suppressed_total{state=\"refused\"} 1\n"));
  EXPECT_THAT(all, Not(HasSubstr("x.example")));
}

}  // namespace
}  // namespace relayd::tell
