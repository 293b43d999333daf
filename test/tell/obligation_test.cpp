#include "tell/obligation.hpp"

#include <gtest/gtest.h>

namespace relayd::tell {
namespace {

using Kind = Reported::Kind;

mail::Recipient with(std::string notify) {
  return {"bob@customer.example", std::move(notify), ""};
}

TEST(Obligation, AFailureIsOwedWithoutNotifyAndWithItsWord) {
  EXPECT_TRUE(is_owed(Kind::failed, with("")));
  EXPECT_TRUE(is_owed(Kind::failed, with("FAILURE")));
  EXPECT_TRUE(is_owed(Kind::failed, with("SUCCESS,failure,DELAY")));
  EXPECT_FALSE(is_owed(Kind::failed, with("SUCCESS,DELAY")));
  EXPECT_FALSE(is_owed(Kind::failed, with("NEVER")));
}

TEST(Obligation, ADelayIsToldWithoutNotifyAndWithItsWord) {
  EXPECT_TRUE(is_owed(Kind::delayed, with("")));
  EXPECT_TRUE(is_owed(Kind::delayed, with("FAILURE,DELAY")));
  EXPECT_FALSE(is_owed(Kind::delayed, with("FAILURE")));
  EXPECT_FALSE(is_owed(Kind::delayed, with("SUCCESS,FAILURE")));
  EXPECT_FALSE(is_owed(Kind::delayed, with("NEVER")));
}

TEST(Obligation, OfSuccessHearsOnlyWhoAsked) {
  for (const Kind kind : {Kind::relayed, Kind::delivered, Kind::expanded}) {
    EXPECT_FALSE(is_owed(kind, with("")));
    EXPECT_TRUE(is_owed(kind, with("SUCCESS")));
    EXPECT_TRUE(is_owed(kind, with("FAILURE,SUCCESS")));
    EXPECT_FALSE(is_owed(kind, with("FAILURE,DELAY")));
    EXPECT_FALSE(is_owed(kind, with("NEVER")));
  }
}

HeaderMarks marks_of(std::string header) {
  return header_marks(header + "\r\n\r\n");
}

TEST(Obligation, AHeaderSaysWhetherItIsAutomatic) {
  EXPECT_FALSE(marks_of("Subject: x").automatic);
  EXPECT_FALSE(marks_of("Auto-Submitted: no").automatic);
  const HeaderMarks cron = marks_of("auto-submitted: (cron) Auto-Generated; x=y");
  EXPECT_TRUE(cron.automatic);
  EXPECT_FALSE(cron.auto_replied);
  const HeaderMarks vacation = marks_of("Auto-Submitted:\r\n auto-replied (vacation)");
  EXPECT_TRUE(vacation.automatic);
  EXPECT_TRUE(vacation.auto_replied);
  EXPECT_TRUE(marks_of("Auto-Submitted: (").automatic);
}

TEST(Obligation, AHeaderSaysWhetherItIsBulk) {
  for (const std::string field :
       {"Precedence: bulk", "precedence: LIST", "Precedence: junk", "List-Id: News <news.example.com>"})
    EXPECT_TRUE(marks_of(field).bulk) << field;
  EXPECT_FALSE(marks_of("Precedence: first-class").bulk);
  EXPECT_FALSE(marks_of("Subject: x\r\n\r\nList-Id: in the body").bulk);
}

TEST(Obligation, ASourceRouteEndsInItsLastHop) {
  EXPECT_EQ(without_route("@a,@b:u@d"), "u@d");
  EXPECT_EQ(without_route("@[IPv6:2001:db8::1]:u@d"), "u@d");
  EXPECT_EQ(without_route("u@d"), "u@d");
  EXPECT_EQ(without_route("\"a:b\"@d"), "\"a:b\"@d");
  EXPECT_EQ(without_route(""), "");
}

mail::Envelope from(std::string sender) {
  mail::Envelope envelope;
  envelope.sender = std::move(sender);
  envelope.recipients.push_back(with(""));
  return envelope;
}

constexpr std::string_view daemon = "mailer-daemon@example.com";

TEST(Obligation, TheSenderIsToldOfFailures) {
  EXPECT_TRUE(is_told_of(Kind::failed, from("ann@example.com"), daemon, {}));
}

TEST(Obligation, TheNullSenderIsNeverTold) {
  mail::Envelope envelope = from("");
  envelope.routing_sender = "ann@example.com";
  for (const Kind kind : {Kind::failed, Kind::delayed, Kind::relayed, Kind::delivered, Kind::expanded})
    EXPECT_FALSE(is_told_of(kind, envelope, daemon, {}));
}

TEST(Obligation, NobodyIsToldOfAReportWhateverSenderItLeftWith) {
  mail::Envelope envelope = from("ann@example.com");
  envelope.report.emplace();
  EXPECT_FALSE(is_told_of(Kind::failed, envelope, daemon, {}));
}

TEST(Obligation, TheAddressOfReportsIsSentNone) {
  EXPECT_FALSE(is_told_of(Kind::failed, from("Mailer-Daemon@EXAMPLE.com"), daemon, {}));
  EXPECT_FALSE(is_told_of(Kind::failed, from("@a:mailer-daemon@example.com"), daemon, {}));
}

TEST(Obligation, AnAutomaticReplyIsSilentAndAFailedCronMailIsNot) {
  EXPECT_FALSE(
      is_told_of(Kind::failed, from("ann@example.com"), daemon, marks_of("Auto-Submitted: auto-replied")));
  EXPECT_TRUE(
      is_told_of(Kind::failed, from("ann@example.com"), daemon, marks_of("Auto-Submitted: auto-generated")));
}

TEST(Obligation, ADelayOfBulkAndAutomaticMailIsNotTold) {
  const mail::Envelope envelope = from("ann@example.com");
  EXPECT_TRUE(is_told_of(Kind::delayed, envelope, daemon, {}));
  for (const std::string field : {"Auto-Submitted: auto-generated", "Precedence: bulk", "List-Id: <x.y>"}) {
    EXPECT_FALSE(is_told_of(Kind::delayed, envelope, daemon, marks_of(field))) << field;
    EXPECT_TRUE(is_told_of(Kind::failed, envelope, daemon, marks_of(field))) << field;
  }
}

using Addresses = std::vector<std::string>;

config::Bounce bounce(bool to_sender, Addresses to) {
  config::Bounce result;
  result.from = daemon;
  result.to_sender = to_sender;
  result.to = std::move(to);
  return result;
}

TEST(Obligation, AReportGoesToTheLastHopOfTheReversePath) {
  EXPECT_EQ(addressees(bounce(true, {}), Kind::failed, from("@a,@b:u@d.example"), {}),
            Addresses{"u@d.example"});
}

TEST(Obligation, AReportGoesToTheSenderAndTheFixedAddresses) {
  const config::Bounce both = bounce(true, {"ops@example.com", "ANN@example.com"});
  EXPECT_EQ(addressees(both, Kind::failed, from("ann@example.com"), {}),
            (Addresses{"ann@example.com", "ops@example.com"}));
  EXPECT_EQ(addressees(bounce(false, {"ops@example.com"}), Kind::failed, from("ann@example.com"), {}),
            Addresses{"ops@example.com"});
}

TEST(Obligation, WhoMayNotBeToldLeavesTheCopyToTheFixedAddresses) {
  const config::Bounce both = bounce(true, {"ops@example.com"});
  const Addresses copy{"ops@example.com"};
  EXPECT_EQ(addressees(both, Kind::failed, from(""), {}), copy);
  EXPECT_EQ(addressees(both, Kind::failed, from(std::string(daemon)), {}), copy);
  EXPECT_EQ(addressees(both, Kind::failed, from("a@b.c"), marks_of("Auto-Submitted: auto-replied")), copy);
}

TEST(Obligation, AReportOfOursThatFailsIsReportedToNobody) {
  mail::Envelope envelope = from("");
  envelope.report.emplace();
  for (const Kind kind : {Kind::failed, Kind::delayed})
    EXPECT_EQ(addressees(bounce(true, {"ops@example.com"}), kind, envelope, {}), Addresses());
}

TEST(Obligation, OfSuccessTheSenderAloneHears) {
  const config::Bounce both = bounce(true, {"ops@example.com"});
  for (const Kind kind : {Kind::relayed, Kind::delivered, Kind::expanded}) {
    EXPECT_EQ(addressees(both, kind, from("a@b.c"), {}), Addresses{"a@b.c"});
    EXPECT_EQ(addressees(both, kind, from(""), {}), Addresses());
  }
}

TEST(Obligation, DelaysOfBulkMailReachNobody) {
  const config::Bounce both = bounce(true, {"ops@example.com"});
  EXPECT_EQ(addressees(both, Kind::delayed, from("a@b.c"), marks_of("Precedence: bulk")), Addresses());
  EXPECT_EQ(addressees(both, Kind::delayed, from("a@b.c"), {}), (Addresses{"a@b.c", "ops@example.com"}));
}

}  // namespace
}  // namespace relayd::tell
