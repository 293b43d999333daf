// Reports about messages and replies that were made to break them.
#include <gmock/gmock.h>

#include "tell/random_report.hpp"
#include "tell/report_fixture.hpp"

namespace relayd::tell {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

class HostileReportTest : public ReportFixture {};

TEST_F(HostileReportTest, AReplyAddsNoFieldAndNoGroup) {
  one.text = "5.1.1 x\r\n\r\nFinal-Recipient: rfc822; eve@example.com\r\nAction: delivered";
  const std::string made = status();
  EXPECT_EQ(count(made, "\r\n\r\n"), 2u);  // below the fields of the part, and before the one group
  EXPECT_THAT(made, HasSubstr("\r\nDiagnostic-Code: smtp; 550-5.1.1 x\r\n 550-Final-Recipient: rfc822; "
                              "eve@example.com\r\n 550 Action: delivered\r\n"));
}

TEST_F(HostileReportTest, AReplyIsPrintable) {
  one.text = std::string("5.1.1 a\0b\x1B[2Jc\xC3\xA9\tz\r\x7F", 20);
  EXPECT_THAT(status(), HasSubstr("550-5.1.1 a\\x00b\\x1B[2Jc\\xC3\\xA9 z\r\n 550 \\x7F\r\n"));
  EXPECT_THAT(parts()[1], HasSubstr("    550-5.1.1 a\\x00b\\x1B[2Jc\\xC3\\xA9 z\r\n"));
}

TEST_F(HostileReportTest, AnEndlessReplyIsCut) {
  one.text = "5.1.1 " + std::string(64 * 1024, 'x');
  EXPECT_THAT(status(), HasSubstr("x...\r\n"));
  EXPECT_LT(text().size(), 12'000u);
  one.text.clear();
  for (int i = 0; i < 512; ++i) one.text += "line of a long reply that goes on and on\n";
  EXPECT_THAT(status(), HasSubstr("\r\n 550 ...\r\n"));
  EXPECT_LT(text().size(), 12'000u);
}

TEST_F(HostileReportTest, ALongWordIsCutIntoLines) {
  one.text = "5.1.1 " + std::string(300, 'w');
  for (const std::string& part : {parts()[1], status()}) {
    std::size_t longest = 0;
    for (std::size_t at = 0, end; (end = part.find("\r\n", at)) != part.npos; at = end + 2)
      longest = std::max(longest, end - at);
    EXPECT_LE(longest, 78u);
  }
}

TEST_F(HostileReportTest, TheBoundaryOfAnEarlierReportEndsNothing) {
  const std::string earlier = text();
  header = "X: y\r\n--=_0123456789abcdeffedcba9876543210--\r\n" + earlier;
  envelope.ret = "FULL";
  content = config::Bounce::Content::full;
  body = earlier;
  EXPECT_EQ(parts().size(), 4u);
}

TEST_F(HostileReportTest, ALongHeaderIsCutAtAWholeField) {
  header.clear();
  while (header.size() < 1024 * 1024)
    header += "X-Field: " + std::string(200, 'x') + "\r\n " + std::string(90, 'y') + "\r\n";
  header += "\r\n";
  const std::string made = returned();
  EXPECT_LT(made.size(), most_returned + 100);
  EXPECT_GT(made.size(), most_returned - 1000);
  EXPECT_THAT(made, EndsWith("x\r\n " + std::string(90, 'y') + "\r\n"));
  header = "Subject: " + std::string(1024 * 1024, 'x') + "\r\n\r\n";
  EXPECT_EQ(returned(), "\r\nContent-Type: text/rfc822-headers\r\n\r\n");
}

TEST_F(HostileReportTest, ALongLineIsEncoded) {
  header = "Subject: x\r\nX-Long: " + std::string(2000, 'x') + "\r\n\r\n";
  EXPECT_THAT(returned(), HasSubstr("\r\nContent-Transfer-Encoding: quoted-printable\r\n"));
  EXPECT_THAT(returned(), HasSubstr("x=\r\nx"));
}

TEST_F(HostileReportTest, AHeaderWithoutAnEndAndWithJunkIsReturnedAsText) {
  header = "Subject: x\r\nno field at all\r\nTo: y";
  EXPECT_THAT(returned(), EndsWith("\r\n\r\nSubject: x\r\nno field at all\r\nTo: y\r\n"));
  header = "";
  EXPECT_EQ(returned(), "\r\nContent-Type: text/rfc822-headers\r\n\r\n");
  header = std::string("Subject: a\0b\rc\nd\x1B\r\n\r\n", 21);
  EXPECT_THAT(returned(), HasSubstr("Subject: a=00b=0Dc=0Ad=1B\r\n"));
}

TEST_F(HostileReportTest, AMessageThatIsNoneOfSevenBitsStaysOutside) {
  envelope.ret = "FULL";
  content = config::Bounce::Content::full;
  for (const std::string& bad :
       {std::string("a\0b", 3), std::string("a\rb"), std::string("a\nb"), std::string(999, 'x')}) {
    body = bad + "\r\n";
    EXPECT_THAT(returned(), HasSubstr("Content-Type: text/rfc822-headers\r\n")) << bad.size();
  }
}

TEST_F(HostileReportTest, WhateverItIsMadeOfAReportIsThreeParts) {
  RandomReport random_report(17);
  for (int round = 0; round < 3000; ++round) {
    const RandomReport::Made made = random_report.next();
    check_lines(made.report);
    const std::string status = parts_of(made.report.content)[2];
    EXPECT_EQ(count(status, "\r\n\r\n"), 1 + made.recipients) << status;
    EXPECT_EQ(count(status, "\r\nFinal-Recipient: "), made.recipients) << status;
    if (testing::Test::HasFailure()) FAIL() << "round " << round;
  }
}

}  // namespace
}  // namespace relayd::tell
