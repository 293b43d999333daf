// What sendmail makes of standard input: lines, the end of the message, the header.
#include "sendmail_message.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::command {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// In pieces of so many octets.
std::string canonical(std::string_view text, bool dot_ends = false, std::size_t piece = 1000) {
  SendmailInput input(dot_ends);
  std::string out;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
    input.feed(text.substr(0, piece), out);
  input.finish(out);
  return out;
}

SendmailHeader header(const std::string& message, bool take_recipients,
                      std::string_view from = "ann@host.example") {
  mail::HeaderScanner scanner;
  scanner.feed(message);
  scanner.end();
  const Result<SendmailHeader> result = complete_header(message, scanner.facts(), from, take_recipients);
  EXPECT_TRUE(result) << (result ? "" : result.error());
  return result ? *result : SendmailHeader();
}

TEST(SendmailInput, EveryLineEndsWithCrLf) {
  EXPECT_EQ(canonical("a\nb\r\nc\r\r\nd"), "a\r\nb\r\nc\r\nd\r\n");
  EXPECT_EQ(canonical("\n\n"), "\r\n\r\n");
  EXPECT_EQ(canonical("a\r"), "a\r\n");
  EXPECT_EQ(canonical(""), "");
}

TEST(SendmailInput, AReturnAloneEndsNoLine) {
  EXPECT_EQ(canonical("a\rb\r\rc\n\rd\n"), "a\rb\r\rc\r\n\rd\r\n");
  EXPECT_EQ(canonical("a\r.\rb\n", true), "a\r.\rb\r\n");
  EXPECT_EQ(canonical("a\n.\rb\n", true), "a\r\n.\rb\r\n");
  EXPECT_EQ(canonical("a\n\r.\nb\n", true), "a\r\n\r.\r\nb\r\n");
}

TEST(SendmailInput, ADotAloneEndsTheMessageUnlessItIsIgnored) {
  EXPECT_EQ(canonical("a\n.\nb\n", true), "a\r\n");
  EXPECT_EQ(canonical("a\r\n.\r\nb\r\n", true), "a\r\n");
  EXPECT_EQ(canonical("a\n.", true), "a\r\n");
  EXPECT_EQ(canonical(".\n", true), "");
  EXPECT_EQ(canonical("a\n.\nb\n", false), "a\r\n.\r\nb\r\n");
  EXPECT_EQ(canonical("a\n..\n.b\n. \n", true), "a\r\n..\r\n.b\r\n. \r\n");
}

TEST(SendmailInput, TheCutDoesNotMatter) {
  const std::string text = "a\r\r\n.b\n\rc\r\n.\rd\r\n..\r\nlast\r\n.\r\nnot this";
  for (std::size_t piece = 1; piece < text.size(); ++piece)
    EXPECT_EQ(canonical(text, true, piece), canonical(text, true)) << piece;
}

TEST(SendmailHeader, AReturnAloneIsASpace) {
  const SendmailHeader read =
      header("From: a@b.example\r\nTo: x@c.example\r\nX: a\rBcc: eve@d.example\r\n\r\n", true);
  EXPECT_THAT(read.recipients, ElementsAre("x@c.example"));
  EXPECT_THAT(read.fields, HasSubstr("X: a Bcc: eve@d.example\r\n"));
}

TEST(SendmailHeader, RecipientsAreThoseOfToCcAndBcc) {
  const SendmailHeader read = header(
      "From: ann@example.com\r\nTo: \"Doe, J.\" <j@a.example>, (c, d) plain@b.example\r\nCC: team: "
      "x@c.example,\r\n"
      "\t<y@c.example>;, undisclosed:;\r\nBcc: secret@d.example\r\nReply-To: not@this.example\r\n\r\n",
      true);
  EXPECT_THAT(read.recipients, ElementsAre("j@a.example", "plain@b.example", "x@c.example", "y@c.example",
                                           "secret@d.example"));
}

TEST(SendmailHeader, BccGoesWithAllItsLines) {
  const SendmailHeader read = header(
      "From: a@x\r\nBcc: one@d.example,\r\n two@d.example\r\nbCC : three@d.example\r\nSubject: s\r\n\r\n",
      true);
  EXPECT_EQ(read.fields, "From: a@x\r\nSubject: s\r\n\r\n");
  EXPECT_THAT(read.recipients, ElementsAre("one@d.example", "two@d.example", "three@d.example"));
}

TEST(SendmailHeader, WithoutItsRecipientsTheHeaderIsLeftAlone) {
  const std::string text = "From: a@x\r\nTo: who is this\r\nBcc: kept@d.example\r\n\r\n";
  EXPECT_EQ(header(text, false).fields, text);
  EXPECT_THAT(header(text, false).recipients, IsEmpty());
}

TEST(SendmailHeader, ResentFieldsCountAlone) {
  const SendmailHeader read = header(
      "From: a@x\r\nTo: first@a.example\r\nResent-To: second@b.example\r\nResent-Bcc: "
      "third@b.example\r\n\r\n",
      true);
  EXPECT_THAT(read.recipients, ElementsAre("second@b.example", "third@b.example"));
  EXPECT_THAT(read.fields, Not(HasSubstr("third")));
}

TEST(SendmailHeader, AnAddressThatCannotBeReadIsAnError) {
  const std::string text = "From: a@x\r\nTo: bob@a.example, no good address\r\n\r\n";
  mail::HeaderScanner scanner;
  scanner.feed(text);
  const Result<SendmailHeader> result = complete_header(text, scanner.facts(), "ann@x", true);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error(), HasSubstr("no good address"));
}

TEST(SendmailHeader, AMissingFromIsAdded) {
  EXPECT_EQ(header("Subject: s\r\n\r\nbody\r\n", false).fields,
            "Subject: s\r\nFrom: ann@host.example\r\n\r\n");
}

TEST(SendmailHeader, ABodyWithoutAHeaderGetsOne) {
  EXPECT_EQ(header("no header at all\r\n", false).fields, "From: ann@host.example\r\n\r\n");
  EXPECT_EQ(header("", false).fields, "From: ann@host.example\r\n\r\n");
  EXPECT_EQ(header("\r\nbody\r\n", false).fields, "From: ann@host.example\r\n\r\n");
  EXPECT_EQ(header("Subject: s\r\nno empty line\r\n", false).fields,
            "Subject: s\r\nFrom: ann@host.example\r\n\r\n");
}

TEST(SendmailHeader, TheLineOfAMailboxFileGoes) {
  EXPECT_EQ(header("From ann Fri Nov 20 10:00:00 2026\r\nFrom: a@x\r\n\r\n", false).fields,
            "From: a@x\r\n\r\n");
  EXPECT_EQ(header(">From ann Fri Nov 20 10:00:00 2026\r\nFrom: a@x\r\n\r\n", false).fields,
            "From: a@x\r\n\r\n");
  EXPECT_EQ(header("From ann Fri\r\nFrom : a@x\r\n\r\n", false).fields, "From : a@x\r\n\r\n");
  EXPECT_EQ(header("From : a@x\r\n\r\n", false).fields, "From : a@x\r\n\r\n");
}

TEST(SendmailHeader, ANameIsQuotedOrEncodedWhereItMustBe) {
  EXPECT_EQ(mailbox_with_name("", "a@x"), "a@x");
  EXPECT_EQ(mailbox_with_name(" ", "a@x"), "a@x");
  EXPECT_EQ(mailbox_with_name("Ann Doe", "a@x"), "Ann Doe <a@x>");
  EXPECT_EQ(mailbox_with_name("Doe, \"A\"", "a@x"), "\"Doe, \\\"A\\\"\" <a@x>");
  EXPECT_EQ(mailbox_with_name("J\u00f6rg W", "a@x"), "=?utf-8?q?J=C3=B6rg_W?= <a@x>");
  EXPECT_EQ(mailbox_with_name(std::string(80, 'x'), "a@x"), "a@x");
  EXPECT_EQ(mailbox_with_name("A\r\nBcc: evil@x", "a@x"), "\"A  Bcc: evil@x\" <a@x>");
}

}  // namespace
}  // namespace relayd::command
