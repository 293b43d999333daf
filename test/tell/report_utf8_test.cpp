// Reports about addresses that are not ASCII (RFC 6533), to whom UTF-8 may be sent and to whom not.
#include <gmock/gmock.h>

#include "tell/report_fixture.hpp"

namespace relayd::tell {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr char eric[] = "\xC3\xA9ric@x.example";

class ReportUtf8Test : public ReportFixture {
 protected:
  ReportUtf8Test() {
    envelope.smtp_utf8 = true;
    envelope.recipients[0].address = eric;
    header = "Subject: x\r\nTo: \xC3\xA9ric@x.example\r\n\r\n";
  }
};

TEST_F(ReportUtf8Test, ASenderOfAsciiGetsSevenBits) {
  const Report made = report();
  EXPECT_FALSE(made.envelope.smtp_utf8 || made.envelope.eight_bit);
  const std::vector<std::string> found = parts_of(made.content);
  EXPECT_THAT(found[0], HasSubstr("report-type=delivery-status;"));
  EXPECT_THAT(found[1],
              StartsWith("\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
                         "quoted-printable\r\n"));
  EXPECT_THAT(found[1], HasSubstr("<=C3=A9ric@x.example>"));
  EXPECT_THAT(found[2], StartsWith("\r\nContent-Type: message/delivery-status\r\n\r\n"));
  EXPECT_THAT(found[2], HasSubstr("\r\nFinal-Recipient: utf-8; \\x{E9}ric@x.example\r\n"));
  EXPECT_EQ(found[3],
            "\r\nContent-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            "Subject: x\r\nTo: =C3=A9ric@x.example\r\n");
}

TEST_F(ReportUtf8Test, ASenderBeyondAsciiGetsUtf8) {
  envelope.sender = to.front() = "\xC3\xA5sa@example.com";
  const Report made = report();
  EXPECT_TRUE(made.envelope.smtp_utf8);
  EXPECT_TRUE(made.envelope.eight_bit);
  const std::vector<std::string> found = parts_of(made.content);
  EXPECT_THAT(found[0], HasSubstr("\r\nTo: <\xC3\xA5sa@example.com>\r\n"));
  EXPECT_THAT(found[0], HasSubstr("\r\nContent-Transfer-Encoding: 8bit\r\n"));
  EXPECT_THAT(found[0], HasSubstr("report-type=global-delivery-status;"));
  EXPECT_THAT(found[1], HasSubstr("<\xC3\xA9ric@x.example>"));
  EXPECT_THAT(found[2], StartsWith("\r\nContent-Type: message/global-delivery-status\r\n"
                                   "Content-Transfer-Encoding: 8bit\r\n"));
  EXPECT_THAT(found[2], HasSubstr("\r\nFinal-Recipient: utf-8; \xC3\xA9ric@x.example\r\n"));
  EXPECT_EQ(found[3],
            "\r\nContent-Type: message/global-headers\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "Subject: x\r\nTo: \xC3\xA9ric@x.example\r\n");
}

TEST_F(ReportUtf8Test, WithFieldsOfAsciiTheTypesAreTheClassicOnes) {
  envelope.sender = to.front() = "\xC3\xA5sa@example.com";
  envelope.recipients[0].address = "bob@customer.example";
  header = "Subject: x\r\n\r\n";
  const std::vector<std::string> found = parts();
  EXPECT_THAT(found[0], HasSubstr("report-type=delivery-status;"));
  EXPECT_THAT(found[2], StartsWith("\r\nContent-Type: message/delivery-status\r\n\r\n"));
  EXPECT_THAT(found[2], HasSubstr("\r\nFinal-Recipient: rfc822; bob@customer.example\r\n"));
  EXPECT_THAT(found[3], StartsWith("\r\nContent-Type: text/rfc822-headers\r\n\r\n"));
}

TEST_F(ReportUtf8Test, TheWholeMessageIsAGlobalOne) {
  envelope.ret = "FULL";
  content = config::Bounce::Content::full;
  EXPECT_EQ(returned(),
            "\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
            "Subject: x\r\nTo: =C3=A9ric@x.example\r\n\r\nDear Bob,\r\n");
  envelope.sender = to.front() = "\xC3\xA5sa@example.com";
  EXPECT_EQ(returned(),
            "\r\nContent-Type: message/global\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + header + *body);
}

TEST_F(ReportUtf8Test, AnOriginalRecipientStaysAsItWasGiven) {
  envelope.recipients[0].original_recipient = "utf-8;\\x{E9}ric@x.example";
  EXPECT_THAT(status(), HasSubstr("\r\nOriginal-Recipient: utf-8; \\x{E9}ric@x.example\r\n"));
}

TEST_F(ReportUtf8Test, AnOriginalRecipientOfUtf8IsEmbeddedInSevenBits) {
  envelope.recipients[0].original_recipient = "utf-8;\xC3\xA9+a=b@x.example";
  EXPECT_THAT(status(), HasSubstr("\r\nOriginal-Recipient: utf-8; \\x{E9}\\x{2B}a\\x{3D}b@x.example\r\n"));
  envelope.recipients[0].original_recipient = "rfc822;+C3+A9ric@x.example";
  EXPECT_THAT(status(), HasSubstr("\r\nOriginal-Recipient: utf-8; \\x{E9}ric@x.example\r\n"));
}

TEST_F(ReportUtf8Test, EmbeddedAddressesHideNothing) {
  const std::pair<std::string, std::string> rows[] = {
      {"\xC3\xA9 \"\\+=@x", "\\x{E9}\\x{20}\"\\x{5C}\\x{2B}\\x{3D}@x"},
      {"\xF0\x9F\x90\xB1@x", "\\x{1F431}@x"},
      {"\xFF@x", "\\x{FFFD}@x"},
      {"a\r\nAction: delivered@x", "a\\x{0D}\\x{0A}Action:\\x{20}delivered@x"}};
  for (const auto& [address, shown] : rows) {
    envelope.recipients[0].address = address;
    EXPECT_THAT(status(), HasSubstr("\r\nFinal-Recipient: utf-8; " + shown + "\r\nAction: failed\r\n"));
  }
}

TEST_F(ReportUtf8Test, TheLongestAddressFitsItsLine) {
  std::string local, domain;
  for (int i = 0; i < 32; ++i) local += "\xC5\x91";
  for (int i = 0; i < 127; ++i) domain += "\xC5\x91";
  envelope.recipients[0].address = local + "@" + domain;
  EXPECT_EQ(count(status(), "\\x{151}"), 159u);
  EXPECT_EQ(count(status(), "\r\n \\x{151}"), 1u);  // the rest is too much for one line
  to.front() = envelope.sender = envelope.recipients[0].address;
  EXPECT_THAT(status(), HasSubstr("\r\nFinal-Recipient: utf-8; " + local + "@" + domain + "\r\n"));
}

TEST_F(ReportUtf8Test, AHeaderThatIsNoUtf8IsEncoded) {
  envelope.sender = to.front() = "\xC3\xA5sa@example.com";
  header = "Subject: \xFF\r\n\r\n";
  EXPECT_THAT(returned(),
              HasSubstr("\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nSubject: =FF\r\n"));
}

}  // namespace
}  // namespace relayd::tell
