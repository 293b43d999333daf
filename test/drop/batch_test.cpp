#include "drop/batch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace relayd::drop {
namespace {

// They are a head, no line more and none less.
bool reads(const std::vector<std::string_view>& lines) {
  HeadReader reader;
  for (const std::string_view line : lines)
    if (reader.done() || !reader.read(line)) return false;
  return reader.done();
}

TEST(DropBatch, AHeadIsATransactionUpToData) {
  mail::Envelope envelope;
  envelope.sender = "ann@example.com";
  envelope.eight_bit = true;
  envelope.recipients = {{"bob@example.org", "NEVER", ""}, {"root", "", ""}};
  EXPECT_EQ(head(envelope, 42),
            "relayd drop 1\r\nMAIL FROM:<ann@example.com> SIZE=42 BODY=8BITMIME\r\n"
            "RCPT TO:<bob@example.org> NOTIFY=NEVER\r\nRCPT TO:<root>\r\nDATA\r\n");
}

TEST(DropBatch, NoAddressBecomesALineOfItsOwn) {
  mail::Envelope envelope;
  envelope.sender = "a@x>\r\nRSET";
  envelope.recipients = {{"b@x\r\nQUIT", "", ""}};
  const std::string text = head(envelope, 1);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
}

TEST(DropBatch, OnlyWhatAWriterWritesIsRead) {
  const std::string_view version = "relayd drop 1", mail = "MAIL FROM:<a@x>", rcpt = "RCPT TO:<b@x>",
                         data = "DATA";
  EXPECT_TRUE(reads({version, mail, rcpt, data}));
  EXPECT_TRUE(reads({version, mail, rcpt, rcpt, data}));
  EXPECT_FALSE(reads({"relayd drop 2", mail, rcpt, data}));
  EXPECT_FALSE(reads({mail, rcpt, data}));
  EXPECT_FALSE(reads({version, mail, data}));
  EXPECT_FALSE(reads({version, rcpt, mail, data}));
  EXPECT_FALSE(reads({version, mail, rcpt}));
  EXPECT_FALSE(reads({version, mail, "RSET", mail, rcpt, data}));
  EXPECT_FALSE(reads({version, mail, rcpt, "AUTH PLAIN =", data}));
  EXPECT_FALSE(reads({version, mail, rcpt, data, rcpt}));
  std::vector<std::string_view> many{version, mail};
  many.insert(many.end(), recipients_limit, rcpt);
  many.push_back(data);
  EXPECT_TRUE(reads(many));
  many.insert(many.end() - 1, rcpt);
  EXPECT_FALSE(reads(many));
}

}  // namespace
}  // namespace relayd::drop
