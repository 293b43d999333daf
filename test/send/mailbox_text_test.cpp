#include "send/mailbox_text.hpp"

#include <gtest/gtest.h>

#include "send/client_fixture.hpp"

namespace relayd::send {
namespace {

using test::make_envelope;

constexpr std::uint32_t first[] = {0};

// What is kept of a message for bob, whose content comes in pieces of so many octets.
std::string kept(const std::string& content, std::size_t piece = 7, bool* loops = nullptr) {
  MailboxText text(make_envelope("ann@example.com", {"bob@example.org"}), first);
  std::string out;
  for (std::size_t at = 0; at < content.size(); at += piece) text.feed(content.substr(at, piece), out);
  if (loops) *loops = text.loops();
  return out;
}

bool loops(const std::string& content) {
  bool result = false;
  kept(content, 1, &result);
  return result;
}

TEST(MailboxText, EndsItsLinesWithALineFeed) {
  for (std::size_t piece = 1; piece < 20; ++piece)
    EXPECT_EQ(kept("Subject: a\r\n b\r\n\r\n.one\r\n\r\n..two\r\n", piece),
              "Subject: a\n b\n\n.one\n\n..two\n");
}

TEST(MailboxText, PutsTheFieldsOfDeliveryOnTop) {
  mail::Envelope envelope = make_envelope("", {"bob@example.org"});
  envelope.recipients[0].original_recipient = "rfc822;root+2Bcron@example.org";
  EXPECT_EQ(MailboxText(envelope, first).top(),
            "Return-Path: <>\nX-Original-To: root+cron@example.org\nDelivered-To: bob@example.org\n");
}

TEST(MailboxText, ShowsNoOriginalAddressThatWouldBeginALine) {
  mail::Envelope envelope = make_envelope("ann@example.com", {"bob@example.org"});
  envelope.recipients[0].original_recipient = "rfc822;x+0AEvil:+20yes";
  EXPECT_EQ(MailboxText(envelope, first).top(),
            "Return-Path: <ann@example.com>\nDelivered-To: bob@example.org\n");
}

TEST(MailboxText, LeavesOutTheReturnPathOfBefore) {
  for (std::size_t piece = 1; piece < 20; ++piece)
    EXPECT_EQ(kept("return-PATH:\r\n <old@example.com>\r\nSubject: a\r\n\r\nReturn-Path: text\r\n", piece),
              "Subject: a\n\nReturn-Path: text\n");
}

TEST(MailboxText, FindsThatItWasDeliveredToTheSameAddressBefore) {
  EXPECT_TRUE(loops("Delivered-To: Bob@EXAMPLE.org\r\n\r\ntext\r\n"));
  EXPECT_FALSE(loops("Delivered-To: eve@example.org\r\n\r\ntext\r\n"));
  EXPECT_FALSE(loops("Subject: a\r\n\r\nDelivered-To: bob@example.org\r\n"));
}

TEST(MailboxText, KeepsALineOfAnyLength) {
  const std::string field = "X-Long: " + std::string(20'000, 'x');
  EXPECT_EQ(kept(field + "\r\n\r\ntext\r\n", 1000), field + "\n\ntext\n");
  const std::string gone = "Return-Path: " + std::string(20'000, 'x');
  EXPECT_EQ(kept(gone + "\r\n\r\ntext\r\n", 1000), "\ntext\n");
}

TEST(MaildirName, IsTheSameForTheSameMessageAndRecipient) {
  const WallTime taken(std::chrono::microseconds(1'700'000'000'000'123));
  EXPECT_EQ(maildir_name(taken, "id", 2, "relay.example.com"), "1700000000.M000123QidR2.relay.example.com");
  EXPECT_NE(maildir_name(taken, "id", 2, "h"), maildir_name(taken, "id", 3, "h"));
}

TEST(MaildirName, EscapesWhatAReaderWouldTakeApart) {
  EXPECT_EQ(maildir_name({}, "id", 0, "a/b:c,d"), "0.M000000QidR0.a\\057b\\072c\\054d");
}

}  // namespace
}  // namespace relayd::send
