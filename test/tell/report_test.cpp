// The bytes of a report, field by field.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "tell/report_fixture.hpp"

namespace relayd::tell {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Kind = Reported::Kind;

class ReportTest : public ReportFixture {};

TEST_F(ReportTest, IsThisMessage) {
  EXPECT_EQ(text(),
            "From: Mail Delivery System <mailer-daemon@example.com>\r\n"
            "To: <ann@example.com>\r\n"
            "Subject: Undelivered: Invoice 17\r\n"
            "Date: Sat, 21 Nov 2026 13:01:30 +0000\r\n"
            "Message-ID: <1j0m0u4e32h.report@mail.example.com>\r\n"
            "In-Reply-To: <17@example.com>\r\n"
            "References: <17@example.com>\r\n"
            "Auto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: multipart/report; report-type=delivery-status;\r\n"
            " boundary=\"=_0123456789abcdeffedcba9876543210\"\r\n"
            "\r\n"
            "--=_0123456789abcdeffedcba9876543210\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n"
            "\r\n"
            "This is the mail relay mail.example.com.\r\n"
            "\r\n"
            "Your message was not delivered to:\r\n"
            "\r\n"
            "    <bob@customer.example>\r\n"
            "\r\n"
            "The address does not exist at the receiving side, or takes no mail.\r\n"
            "Check the address for a mistake. If it is right, ask its owner in another way.\r\n"
            "smtp.provider.example answered:\r\n"
            "    550 5.1.1 no such user\r\n"
            "\r\n"
            "The message came here on Sat, 21 Nov 2026 13:00:00 +0000 and is known as\r\n"
            "1j0m0u4e32g.\r\n"
            "For help, write to mailer-daemon@example.com.\r\n"
            "\r\n"
            "--=_0123456789abcdeffedcba9876543210\r\n"
            "Content-Type: message/delivery-status\r\n"
            "\r\n"
            "Reporting-MTA: dns; mail.example.com\r\n"
            "Arrival-Date: Sat, 21 Nov 2026 13:00:00 +0000\r\n"
            "X-Relayd-Queue-Id: 1j0m0u4e32g\r\n"
            "\r\n"
            "Final-Recipient: rfc822; bob@customer.example\r\n"
            "Action: failed\r\n"
            "Status: 5.1.1\r\n"
            "Remote-MTA: dns; smtp.provider.example\r\n"
            "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n"
            "Last-Attempt-Date: Sat, 21 Nov 2026 13:01:00 +0000\r\n"
            "\r\n"
            "--=_0123456789abcdeffedcba9876543210\r\n"
            "Content-Type: text/rfc822-headers\r\n"
            "\r\n"
            "Received: from app\r\n\tby mail.example.com\r\n"
            "Subject: Invoice 17\r\n"
            "Message-ID: <17@example.com>\r\n"
            "From: ann@example.com\r\n"
            "\r\n"
            "--=_0123456789abcdeffedcba9876543210--\r\n");
}

// What a person reads, as docs/reports.md shows it: lines of a code block.
TEST_F(ReportTest, TheReadmeShowsIt) {
  const std::string all = text();
  const auto block = [&all](std::string_view first, std::string_view behind) {
    const std::size_t begin = all.find(first);
    std::string shown;
    for (std::string_view rest = std::string_view(all).substr(begin, all.find(behind, begin) - begin);
         !rest.empty();) {
      const std::string_view line = rest.substr(0, rest.find("\r\n"));
      rest.remove_prefix(line.size() + 2);
      shown.append(line.empty() ? "" : "    ").append(line) += '\n';
    }
    return shown;
  };
  std::ifstream file(PROJECT_DIR "/docs/reports.md");
  const std::string readme{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(readme, HasSubstr("\n\n" + block("Subject: ", "Date: ") + "\n" +
                                block("This is the mail relay", "\r\n--=_") + "\n"));
}

TEST_F(ReportTest, LeavesFromTheNullSenderAndAsksForNoReport) {
  to.push_back("ops@example.com");
  const mail::Envelope made = report().envelope;
  EXPECT_EQ(made.sender, "");
  EXPECT_EQ(made.routing_sender, "mailer-daemon@example.com");
  ASSERT_EQ(made.recipients.size(), 2u);
  EXPECT_EQ(made.recipients[0].address, "ann@example.com");
  EXPECT_EQ(made.recipients[1].address, "ops@example.com");
  for (const mail::Recipient& recipient : made.recipients) EXPECT_EQ(recipient.notify, "NEVER");
  EXPECT_EQ(made.ret, "");
  EXPECT_EQ(made.envelope_id, "");
  EXPECT_FALSE(made.smtp_utf8 || made.eight_bit || made.require_tls);
}

TEST_F(ReportTest, IsMarkedWithWhatItIsAbout) {
  envelope.recipients.push_back({"eve@customer.example", "", ""});
  one.recipient = 1;
  mail::ReportOf about = *report().envelope.report;
  EXPECT_EQ(about.message, "1j0m0u4e32g");
  EXPECT_EQ(about.recipients, std::vector<std::uint32_t>{1});
  EXPECT_EQ(about.delay, 0u);
  EXPECT_FALSE(about.expanded);
  kind = Kind::delayed;
  EXPECT_EQ(report().envelope.report->delay, 4u * 3600);
}

TEST_F(ReportTest, NamesTheSenderAloneInItsHeader) {
  to.push_back("ops@example.com");
  EXPECT_THAT(text(), HasSubstr("\r\nTo: <ann@example.com>\r\nSubject"));
  to = {"ops@example.com", "second@example.com"};
  EXPECT_THAT(text(), HasSubstr("\r\nTo: <ops@example.com>,\r\n <second@example.com>\r\nSubject"));
}

// --- the header ---

std::string subject_in(const std::string& content) {
  const std::size_t begin = content.find("Subject:");
  return content.substr(begin, content.find("\r\nDate:") - begin);
}

TEST_F(ReportTest, TheSubjectIsDecodedAndEncodedAgain) {
  header = "Subject: =?utf-8?q?Rechnung_f=C3=BCr?=\r\n =?utf-8?b?IEphbnVhcg==?=\r\n\r\n";
  EXPECT_EQ(subject_in(text()), "Subject: =?utf-8?b?VW5kZWxpdmVyZWQ6IFJlY2hudW5nIGbDvHIgSmFudWFy?=");
}

TEST_F(ReportTest, TheSubjectIsCleanedAndCut) {
  header = "Subject: =?utf-8?b?YQ1iG2MACmTigK5l?=\r\n\r\n";  // CR, ESC, NUL, LF, U+202E
  EXPECT_EQ(subject_in(text()), "Subject: Undelivered: a bc de");
  header = "Subject: " + std::string(5000, 'x') + "\r\n\r\n";
  EXPECT_EQ(subject_in(text()), "Subject: Undelivered:\r\n " + std::string(120, 'x') + "...");
  header = "Subject: \r\n\r\n";
  EXPECT_EQ(subject_in(text()), "Subject: Undelivered: your message");
  header = "From: ann\r\n\r\n";
  EXPECT_EQ(subject_in(text()), "Subject: Undelivered: your message");
}

TEST_F(ReportTest, ADecodedSubjectIsNotDecodedTwice) {
  header = "Subject: =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=\r\n\r\n";
  EXPECT_THAT(subject_in(text()), StartsWith("Subject: =?utf-8?b?"));
}

TEST_F(ReportTest, RefersToOneWellFormedMessageIdAlone) {
  for (const std::string id :
       {"<a b@c>", "<a@b> <c@d>", "a@b", "<a@>", "<@b>", "<a>", "<a@b@c>", "<a@b>\r\n\tx", "<\"a\"@b>", ""}) {
    header = "Message-ID: " + id + "\r\n\r\n";
    EXPECT_THAT(text(), Not(HasSubstr("References"))) << id;
  }
  header = "Message-ID: <a@b>\r\nMessage-ID: <a@b>\r\n\r\n";
  EXPECT_THAT(text(), Not(HasSubstr("In-Reply-To")));
  header = "message-id:\r\n <a.b-c@[127.0.0.1]>\r\n\r\n";
  EXPECT_THAT(text(),
              HasSubstr("\r\nIn-Reply-To: <a.b-c@[127.0.0.1]>\r\nReferences: <a.b-c@[127.0.0.1]>\r\n"));
}

TEST_F(ReportTest, TheBoundaryIsShortAndStandsInNoPart) {
  one.text = "--=_0123456789abcdeffedcba9876543210--";
  const std::string made = text();
  EXPECT_THAT(made, HasSubstr("boundary=\"=_0123456789abcdeffedcba9876543211\""));
  EXPECT_EQ(parts_of(made).size(), 4u);
}

// --- delivery-status ---

TEST_F(ReportTest, AHostWithoutAFullNameIsALocalOne) {
  hostname = "relay";
  EXPECT_THAT(status(), HasSubstr("Reporting-MTA: x-local-hostname; relay\r\n"));
}

TEST_F(ReportTest, TheEnvelopeIdIsThereIfItCame) {
  EXPECT_THAT(status(), Not(HasSubstr("Original-Envelope-Id")));
  envelope.envelope_id = "QQ+2B314159+3DAb+20c";
  EXPECT_THAT(status(), HasSubstr("Original-Envelope-Id: QQ+314159=Ab c\r\n"));
}

TEST_F(ReportTest, TheOriginalRecipientIsThereIfItCame) {
  EXPECT_THAT(status(), Not(HasSubstr("Original-Recipient")));
  envelope.recipients[0].original_recipient = "rfc822;List+2Bx@Example.com";
  EXPECT_THAT(status(),
              HasSubstr("\r\n\r\nOriginal-Recipient: rfc822; List+x@Example.com\r\nFinal-Recipient"));
  envelope.recipients[0].original_recipient = "x400;/S+3Dann/";
  EXPECT_THAT(status(), HasSubstr("Original-Recipient: x400; /S=ann/\r\n"));
}

TEST_F(ReportTest, TheFinalRecipientIsExact) {
  const std::string longest = std::string(64, 'l') + "@" + std::string(189, 'd');
  for (const std::string& address :
       {std::string("\"a\\\"b  c\"@x"), longest, std::string("Bob%x@y"), std::string("a<&>b@x")}) {
    envelope.recipients[0].address = address;
    EXPECT_THAT(status(), HasSubstr("\r\nFinal-Recipient: rfc822; " + address + "\r\n"));
  }
}

TEST_F(ReportTest, TheStatusIsTheOneOfTheReplyIfItFits) {
  struct Row {
    int code;
    std::string text, status;
  };
  for (const Row& row :
       {Row{550, "5.1.1 x", "5.1.1"}, Row{550, "5.7.999", "5.7.999"}, Row{550, "x", "5.0.0"},
        Row{550, "2.0.0 x", "5.0.0"}, Row{999, "x", "5.0.0"}, Row{550, "5.01.1 x", "5.0.0"},
        Row{550, "5.1.1000 x", "5.0.0"}, Row{550, "5.1 x", "5.0.0"}, Row{550, "5.1.1x", "5.0.0"},
        Row{550, "4.1.1 x", "5.0.0"}, Row{550, "", "5.0.0"}, Row{450, "4.2.1 x", "4.2.1"},
        Row{450, "5.2.1 x", "4.0.0"}, Row{250, "2.0.0 on our list", "5.0.0"},
        Row{0, "5.7.1 Not from here", "5.7.1"}, Row{550, "5.1.1\\x0Amore", "5.1.1"},
        Row{0, "550 5.7.1 Not from here", "5.7.1"}, Row{0, "550", "5.0.0"}, Row{0, "550 x", "5.0.0"}}) {
    one.code = row.code;
    one.text = row.text;
    EXPECT_THAT(status(), HasSubstr("\r\nStatus: " + row.status + "\r\n")) << row.code << " " << row.text;
  }
}

TEST_F(ReportTest, WhatExpiredHasAStatusOfClassFour) {
  one.expired = true;
  one.code = 451;
  one.text = "4.3.2 later";
  EXPECT_THAT(status(), HasSubstr("Action: failed\r\nStatus: 4.3.2\r\n"));
  one.text = "later";
  EXPECT_THAT(status(), HasSubstr("Status: 4.4.7\r\n"));
  one.code = 535;
  one.text = "5.7.8 no";
  EXPECT_THAT(status(), HasSubstr("Status: 4.4.7\r\n"));
  one.code = 0;
  one.host.clear();
  one.text = "connection refused";
  EXPECT_THAT(status(), HasSubstr("Status: 4.4.7\r\nDiagnostic-Code: x-relayd; connection refused\r\n"));
  EXPECT_THAT(text(),
              HasSubstr("\r\nThis relay tried until the time for it was over.\r\nSend it again later"));
  one.reply_class = smtp::ReplyClass::connect;
  EXPECT_THAT(text(),
              HasSubstr("\r\nThis relay tried until the time for it was over. The last time:\r\nThe next "
                        "server could not be reached.\r\n"));
}

TEST_F(ReportTest, WithoutAReplyThereIsNoRemoteHost) {
  one.code = 0;
  one.text = "the certificate is not the one of its name";
  one.reply_class = smtp::ReplyClass::tls;
  EXPECT_THAT(status(), Not(HasSubstr("Remote-MTA")));
  EXPECT_THAT(status(), HasSubstr("Status: 5.7.0\r\nDiagnostic-Code: x-relayd; the certificate"));
  one.reply_class = smtp::ReplyClass::size;
  EXPECT_THAT(status(), HasSubstr("Status: 5.3.4\r\n"));
  one.reply_class = smtp::ReplyClass::connect;
  EXPECT_THAT(status(), HasSubstr("Status: 5.4.1\r\n"));
  one.reply_class.reset();
  EXPECT_THAT(status(), HasSubstr("Status: 5.0.0\r\n"));
}

TEST_F(ReportTest, ARemoteHostIsANameOrALiteral) {
  const std::pair<std::string, std::string> hosts[] = {{"mx.example.net:587", "dns; mx.example.net"},
                                                       {"127.0.0.1:2525", "dns; [127.0.0.1]"},
                                                       {"[2001:db8::1]:25", "dns; [IPv6:2001:db8::1]"},
                                                       {"smarthost:25", "x-local-hostname; smarthost"}};
  for (const auto& [host, shown] : hosts) {
    one.host = host;
    EXPECT_THAT(status(), HasSubstr("Remote-MTA: " + shown + "\r\n"));
  }
}

TEST_F(ReportTest, FurtherLinesOfAReplyStandBehindABlank) {
  one.text = "5.1.1 no such user\\x0Asee https://provider.example/511\nor ask";
  EXPECT_THAT(status(), HasSubstr("Diagnostic-Code: smtp; 550-5.1.1 no such user\r\n"
                                  " 550-see https://provider.example/511\r\n 550 or ask\r\n"));
}

TEST_F(ReportTest, ADelaySaysHowLongItIsTried) {
  kind = Kind::delayed;
  one.code = 451;
  one.text = "4.7.1 slow down";
  next_attempt = arrived + 1h;
  retry_until = arrived + 24h;
  EXPECT_THAT(status(), HasSubstr("Action: delayed\r\nStatus: 4.7.1\r\n"));
  EXPECT_THAT(status(), EndsWith("\r\nWill-Retry-Until: Sun, 22 Nov 2026 13:00:00 +0000\r\n"));
  EXPECT_THAT(parts()[1],
              HasSubstr("This relay goes on trying; you need not send it again. Next time: Sat, 21 Nov\r\n"
                        "2026 14:00:00 +0000. It gives up on Sun, 22 Nov 2026 13:00:00 +0000."));
  one.code = 535;
  one.text = "5.7.8 no";
  EXPECT_THAT(status(), HasSubstr("Action: delayed\r\nStatus: 4.0.0\r\n"));
  EXPECT_THAT(parts()[1],
              HasSubstr("\r\nThe next server put the message off.\r\nsmtp.provider.example answered:"));
  kind = Kind::failed;
  EXPECT_THAT(text(), Not(HasSubstr("Will-Retry-Until")));
}

TEST_F(ReportTest, WhatWasHandedOnHasAStatusOfClassTwo) {
  kind = Kind::relayed;
  one.code = 250;
  one.text = "2.6.0 queued";
  EXPECT_THAT(status(),
              HasSubstr("Action: relayed\r\nStatus: 2.6.0\r\nRemote-MTA: dns; smtp.provider.example\r\n"));
  one.text = "queued";
  EXPECT_THAT(status(), HasSubstr("Status: 2.0.0\r\n"));
  EXPECT_THAT(text(), HasSubstr("Subject: Handed on: Invoice 17\r\n"));
}

TEST_F(ReportTest, WhatHasArrivedIsDelivered) {
  kind = Kind::delivered;
  one.code = 250;
  one.text = "2.0.0 Saved";
  EXPECT_THAT(status(), HasSubstr("Action: delivered\r\nStatus: 2.0.0\r\n"));
  EXPECT_THAT(text(), HasSubstr("Subject: Delivered: Invoice 17\r\n"));
  EXPECT_THAT(parts()[1], HasSubstr("It was delivered to:"));
  EXPECT_THAT(parts()[1], Not(HasSubstr("that it arrived is not known")));
}

TEST_F(ReportTest, AnAddressThatStandsForOthersIsNamedAsItWasTaken) {
  kind = Kind::expanded;
  envelope.expanded.push_back({"team@example.com", "SUCCESS", "rfc822;team@example.com"});
  one = {};
  const Report made = report();
  EXPECT_THAT(parts_of(made.content)[2],
              EndsWith("\r\n\r\nOriginal-Recipient: rfc822; team@example.com\r\nFinal-Recipient: rfc822; "
                       "team@example.com\r\nAction: expanded\r\nStatus: 2.0.0\r\n"));
  EXPECT_TRUE(made.envelope.report->expanded);
  EXPECT_TRUE(made.envelope.report->recipients.empty());
}

TEST_F(ReportTest, EachRecipientHasAGroup) {
  for (std::uint32_t i = 1; i < 60; ++i) {
    envelope.recipients.push_back({fmt::format("r{}@customer.example", i), "", ""});
    all.push_back(
        {.recipient = i, .code = i < 3 ? 550 : 552, .text = i < 3 ? "5.1.1 no such user" : "5.2.2 full"});
  }
  all[1].host = all[2].host = one.host;
  const std::vector<std::string> made = parts();
  EXPECT_EQ(count(made[2], "\r\n\r\nFinal-Recipient: "), 60u);
  EXPECT_THAT(made[1], HasSubstr("    <bob@customer.example>\r\n    <r1@customer.example>\r\n"
                                 "    <r2@customer.example>\r\n\r\nThe address does not exist"));
  EXPECT_EQ(count(made[1], "The mailbox is full."), 1u);
  EXPECT_THAT(made[1], HasSubstr("And to 10 more, who are named in the second part of this report.\r\n"));
}

TEST_F(ReportTest, EachClassHasItsWords) {
  using enum smtp::ReplyClass;
  one.text = "5.0.0 no";
  std::vector<std::string> seen;
  for (const smtp::ReplyClass reply_class :
       {connect, tls, auth, quota, rate, sender, rcpt, size, content, suppressed}) {
    one.reply_class = reply_class;
    seen.push_back(parts()[1]);
  }
  std::ranges::sort(seen);
  EXPECT_EQ(std::ranges::adjacent_find(seen), seen.end());
}

// --- what is returned ---

TEST_F(ReportTest, TheWholeMessageIsReturnedIfAskedForAndAllowed) {
  envelope.ret = "FULL";
  EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: text/rfc822-headers\r\n"));
  content = config::Bounce::Content::full;
  EXPECT_TRUE(returns_body(kind, envelope, content));
  EXPECT_EQ(returned(), "\r\nContent-Type: message/rfc822\r\n\r\n" + header + *body);
  for (const Kind other : {Kind::delayed, Kind::relayed, Kind::expanded}) {
    kind = other;
    EXPECT_FALSE(returns_body(kind, envelope, content));
    EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: text/rfc822-headers\r\n"));
  }
  kind = Kind::failed;
  for (const std::string ret : {"", "HDRS"}) {
    envelope.ret = ret;
    EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: text/rfc822-headers\r\n"));
  }
}

TEST_F(ReportTest, ALargeMessageIsReturnedAsItsHeader) {
  envelope.ret = "FULL";
  content = config::Bounce::Content::full;
  std::string lines;
  while (lines.size() < most_returned - header.size() - 100) lines += std::string(98, 'x') + "\r\n";
  body = lines;
  EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: message/rfc822\r\n"));
  body = lines + lines;
  EXPECT_THAT(returned(), EndsWith("\r\nFrom: ann@example.com\r\n"));
  body.reset();
  EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: text/rfc822-headers\r\n"));
}

TEST_F(ReportTest, WhatMustTravelUnderTlsIsReportedSoWithoutItsBody) {
  envelope.ret = "FULL";
  envelope.require_tls = true;
  content = config::Bounce::Content::full;
  const Report made = report();
  EXPECT_TRUE(made.envelope.require_tls);
  EXPECT_THAT(made.content, Not(HasSubstr("Dear Bob")));
}

TEST_F(ReportTest, AMessageOfEightBitsIsReturnedAsItsHeader) {
  envelope.ret = "FULL";
  envelope.eight_bit = true;
  content = config::Bounce::Content::full;
  body =
      "Gr\xC3\xBC\xC3\x9F"
      "e\r\n";
  EXPECT_THAT(returned(), StartsWith("\r\nContent-Type: text/rfc822-headers\r\n"));
}

TEST_F(ReportTest, AHeaderOfEightBitsIsQuotedPrintable) {
  header =
      "Subject: Gr\xFC\xDF"
      "e=\r\n\r\n";
  EXPECT_EQ(returned(),
            "\r\nContent-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            "Subject: Gr=FC=DFe=3D\r\n");
}

TEST_F(ReportTest, TheBodyIsNotPartOfTheHeader) {
  header += "secret";
  EXPECT_THAT(text(), Not(HasSubstr("secret")));
}

// --- the summary ---

TEST_F(ReportTest, ANoticeLeavesFromTheAddressThatWorksAndQuotesNobodyRaw) {
  const std::vector<std::string> to = {"ops@example.com"}, paragraphs = {"It fails:\r\nBcc: x@y", "Look"};
  const Report made = compose_notice({.hostname = hostname,
                                      .from = "a@good.example",
                                      .to = to,
                                      .id = "1j0m0u4e32h",
                                      .now = arrived,
                                      .subject = "'b\xc3\xb6\r\nb' fails",
                                      .paragraphs = paragraphs});
  check_lines(made);
  EXPECT_EQ(made.envelope.sender, "a@good.example");
  EXPECT_EQ(made.envelope.routing_sender, "a@good.example");
  EXPECT_EQ(made.envelope.recipients.front().notify, "NEVER");
  EXPECT_TRUE(made.envelope.report);
  EXPECT_NE(made.content.find("Subject: 'b\\xC3\\xB6\\x0D\\x0Ab' fails\r\n"), std::string::npos)
      << made.content;
  EXPECT_NE(made.content.find("Auto-Submitted: auto-generated\r\n"), std::string::npos);
  EXPECT_EQ(made.content.find("\r\nBcc:"), std::string::npos);
}

TEST_F(ReportTest, ASummaryCountsWhatWasNotSent) {
  const std::vector<Silenced> reasons = {{"550 5.1.1", 3}, {"too\r\nlarge", 1200}};
  const std::vector<std::string> addresses = {"mailer-daemon@example.com", "ops@example.com"};
  const Report made = compose_summary({.hostname = hostname,
                                       .from = addresses[0],
                                       .to = addresses,
                                       .id = "1j0m0u4e32h",
                                       .since = arrived,
                                       .now = arrived + 1h,
                                       .limit = "100 messages/h",
                                       .reasons = reasons});
  check_lines(made);
  EXPECT_EQ(made.content,
            "From: Mail Delivery System <mailer-daemon@example.com>\r\n"
            "To: <mailer-daemon@example.com>,\r\n"
            " <ops@example.com>\r\n"
            "Subject: 1203 reports to senders were not sent\r\n"
            "Date: Sat, 21 Nov 2026 14:00:00 +0000\r\n"
            "Message-ID: <1j0m0u4e32h.report@mail.example.com>\r\n"
            "Auto-Submitted: auto-replied\r\n"
            "MIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=us-ascii\r\n"
            "\r\n"
            "This is the mail relay mail.example.com.\r\n"
            "\r\n"
            "From Sat, 21 Nov 2026 13:00:00 +0000 to Sat, 21 Nov 2026 14:00:00 +0000 it\r\n"
            "owed more reports to senders than `bounce.limit` allows (100 messages/h). 1203\r\n"
            "of them were not sent. Their reasons:\r\n"
            "\r\n"
            "      1200  too\\x0D\\x0Alarge\r\n"
            "         3  550 5.1.1\r\n"
            "\r\n"
            "The log has what became of each message.\r\n"
            "\r\n");
  EXPECT_TRUE(made.envelope.report.has_value());
  EXPECT_EQ(made.envelope.sender, "");
  EXPECT_EQ(made.envelope.recipients.at(1).notify, "NEVER");
}

}  // namespace
}  // namespace relayd::tell
