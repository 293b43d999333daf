#include "shared/mail/header.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

using Addresses = std::vector<std::string>;

HeaderFacts scan(std::string_view message, bool expect_done = true) {
  HeaderFacts whole;
  for (std::size_t split = 0; split <= std::min<std::size_t>(message.size(), 300); ++split) {
    HeaderScanner scanner;
    scanner.feed(message.substr(0, split));
    scanner.feed(message.substr(split));
    EXPECT_EQ(scanner.done(), expect_done);
    const HeaderFacts& facts = scanner.facts();
    if (split == 0) whole = facts;
    EXPECT_EQ(facts.octets, whole.octets) << split;
    EXPECT_EQ(facts.received, whole.received) << split;
    EXPECT_EQ(facts.from, whole.from) << split;
  }
  return whole;
}

TEST(Header, Facts) {
  const std::string header =
      "Received: from a\r\n\tby b\r\nreceived: from c\r\nDate: x\r\nMESSAGE-ID : <1@x>\r\nFrom: A "
      "<a@b>\r\n\r\n";
  const HeaderFacts facts = scan(header + "Received: body\r\n");
  EXPECT_EQ(facts.octets, header.size());
  EXPECT_TRUE(facts.separated && facts.has_date && facts.has_message_id && !facts.from.empty());
  EXPECT_EQ(facts.received, 2u);
  EXPECT_EQ(facts.from, Addresses{"a@b"});
}

TEST(Header, NothingThere) {
  const HeaderFacts facts = scan("\r\nFrom: a@b\r\n");
  EXPECT_EQ(facts.octets, 2u);
  EXPECT_TRUE(facts.separated);
  EXPECT_FALSE(!facts.from.empty() || facts.has_date || facts.has_message_id);
}

TEST(Header, BodyWithoutHeader) {
  for (const char* message : {"Hello world\r\nFrom: a@b\r\n\r\n", " Subject: x\r\n\r\n", ": x\r\n\r\n",
                              "Sub ject: x\r\n\r\n", "S\xc3\xbc: x\r\n\r\n"}) {
    const HeaderFacts facts = scan(message);
    EXPECT_EQ(facts.octets, 0u) << message;
    EXPECT_FALSE(facts.separated || !facts.from.empty()) << message;
  }
}

TEST(Header, EndsAtALineThatIsNoField) {
  const HeaderFacts facts = scan("Date: x\r\nFrom: a@b\r\nHello\r\nReceived: no\r\n\r\n");
  EXPECT_EQ(facts.octets, 20u);
  EXPECT_FALSE(facts.separated);
  EXPECT_EQ(facts.received, 0u);
  EXPECT_EQ(facts.from, Addresses{"a@b"});
}

TEST(Header, UnfinishedBlock) {
  const HeaderFacts facts = scan("Date: x\r\nFrom: a@b", false);
  EXPECT_EQ(facts.octets, 9u);
  EXPECT_TRUE(facts.has_date);
  EXPECT_TRUE(facts.from.empty());
}

TEST(Header, EndOfTheMessageEndsItsLastField) {
  HeaderScanner scanner;
  scanner.feed("Date: x\r\nFrom: a@b\r\n");
  EXPECT_TRUE(scanner.facts().from.empty());  // it may be continued
  scanner.end();
  EXPECT_TRUE(scanner.done());
  EXPECT_EQ(scanner.facts().from, Addresses{"a@b"});
  EXPECT_EQ(scanner.facts().octets, 20u);
}

TEST(Header, MailboxSeparatorOnTopIsPassedOver) {
  EXPECT_EQ(scan("From a@b Thu Jan  1 00:00:00 1970\r\nFrom: c@d\r\n\r\n").from, Addresses{"c@d"});
  EXPECT_EQ(scan("From : c@d\r\n\r\n").from,
            Addresses{"c@d"});  // a field, as RFC 5322 4.5 still lets it be written
}

TEST(Header, FoldedFromAndSecondFrom) {
  EXPECT_EQ(scan("From: \"A,\r\n B\"\r\n <a@b>\r\nFrom: c@d\r\n\r\n").from, (Addresses{"a@b", "c@d"}));
  EXPECT_EQ(scan("From:\r\n a@b\r\n\r\n").from, Addresses{"a@b"});
}

TEST(Header, LongLinesAndManyFieldsNeedLittle) {
  std::string message =
      "X: " + std::string(1 << 20, 'x') + "\r\nFrom: " + std::string(1 << 20, ' ') + "a@b\r\n";
  for (int i = 0; i < 20000; ++i) message += "Received: x\r\n y\r\n";
  HeaderScanner scanner;
  scanner.feed(message + "\r\n");
  ASSERT_TRUE(scanner.done());
  EXPECT_EQ(scanner.facts().received, 20000u);
  EXPECT_EQ(scanner.facts().from, Addresses{""});
  EXPECT_FALSE(scanner.facts().from_whole);
  EXPECT_EQ(scanner.facts().octets, message.size() + 2);
}

TEST(Header, MailboxesOfAllFromFields) {
  EXPECT_EQ(scan("From: a@b\r\n\r\n").from, Addresses{"a@b"});
  EXPECT_EQ(scan("From: a@b,\r\n c@d\r\n\r\n").from, (Addresses{"a@b", "c@d"}));
  EXPECT_EQ(scan("From: a@b\r\nX: y\r\nFROM: c@d\r\n\r\n").from, (Addresses{"a@b", "c@d"}));
  EXPECT_EQ(scan("From: a@b, nobody at all\r\n\r\n").from, (Addresses{"a@b", ""}));
  EXPECT_EQ(scan("From:\r\n\r\n").from, Addresses{""});
  EXPECT_EQ(scan("To: a@b\r\n\r\n").from, Addresses{});
}

TEST(Header, WhatIsReadOfFromFieldsIsBoundedAndSaid) {
  const auto whole = [](const std::string& header) {
    HeaderScanner scanner;
    scanner.feed(header + "\r\n");
    return scanner.facts().from_whole;
  };
  const std::string half(4'000, ' ');
  EXPECT_TRUE(whole("From: a@b" + half + "\r\nFrom: a@b" + half + "\r\n"));
  EXPECT_TRUE(whole("From: a@b" + half + "\r\nX: " + half + half + half + "\r\n"));
  EXPECT_FALSE(whole("From: a@b" + half + half + half + "\r\n"));
  EXPECT_FALSE(whole("From: a@b" + half + "\r\n " + half + "\r\n " + half + "\r\n"));
  EXPECT_FALSE(whole("From: a@b" + half + "\r\nFrom: a@b" + half + "\r\nFrom: " + half + "\r\n"));
}

TEST(Header, CountsTheReceivedFieldsThatHaveAMark) {
  const auto facts = [](std::string_view header) {
    HeaderScanner scanner("0123abcd");
    scanner.feed(header);
    return scanner.facts();
  };
  EXPECT_EQ(facts("Received: from x\r\n by y (relayd 0123abcd)\r\n with z\r\n\r\n").marked, 1u);
  EXPECT_EQ(facts("Received: from x\r\nReceived: (relayd 0123abcd)\r\n\r\n").marked, 1u);
  EXPECT_EQ(facts("Received: 0123abcd\r\n 0123abcd 0123abcd\r\n\r\n").marked, 1u);
  EXPECT_EQ(facts("Received: 0123abcd\r\nReceived: x\r\n 0123abcd\r\nreceived: 0123abcd\r\n\r\n").marked, 3u);
  const HeaderFacts others = facts(
      "X-Received: 0123abcd\r\nReceived: by 0123abce\r\nSubject: 0123abcd\r\n 0123abcd\r\n\r\n"
      "Received: 0123abcd\r\n");
  EXPECT_EQ(others.received, 1u);
  EXPECT_EQ(others.marked, 0u);
  HeaderScanner without;
  without.feed("Received: from x\r\n\r\n");
  EXPECT_EQ(without.facts().marked, 0u);
}

TEST(HeaderLines, TellInTheMiddleOfALineWhetherItIsAField) {
  HeaderLines lines;
  EXPECT_FALSE(lines.in_field());
  lines.text("Sub");
  EXPECT_FALSE(lines.in_field());
  lines.text("ject : a");
  EXPECT_TRUE(lines.in_field());
  lines.end_line();
  EXPECT_TRUE(lines.line_empty() && lines.field_above());
  lines.text("\tb");
  EXPECT_TRUE(lines.in_field());
  lines.end_line();
  EXPECT_FALSE(lines.over());
  lines.text("no field");
  lines.end_line();
  EXPECT_TRUE(lines.over());
}

TEST(Header, WhatMailboxFilesPutAboveEndsNothing) {
  for (const std::string above : {"From ann Fri 10:00\r\n", ">From ann Fri 10:00\r\n"}) {
    const std::string header = above + "From: a@b\r\n\r\n";
    const HeaderFacts facts = scan(header + "text\r\n");
    EXPECT_EQ(facts.octets, header.size()) << above;
    EXPECT_EQ(facts.from, Addresses{"a@b"}) << above;
  }
  for (const std::string_view other : {">>From ann\r\n\r\n", "> From ann\r\n\r\n", ">From\r\n\r\n"})
    EXPECT_EQ(scan(other).octets, 0u) << other;
}

TEST(HeaderLines, WhatMailboxFilesPutAboveIsNoFieldAndNoEnd) {
  for (const char* above : {"From ann Fri 10:00", ">From ann Fri 10:00"}) {
    HeaderLines lines;
    lines.text(above);
    EXPECT_FALSE(lines.in_field());
    lines.end_line();
    EXPECT_FALSE(lines.over() || lines.field_above());
    lines.text(" folded");
    lines.end_line();
    EXPECT_TRUE(lines.over());
  }
}

TEST(Header, MessageIdIsKeptAsItWillBeLookedFor) {
  const auto id_of = [](const std::string& value) {
    return std::string(scan("Message-ID:" + value + "\r\nFrom: a@b\r\n\r\n").message_id.view());
  };
  EXPECT_EQ(id_of(" <1.2@client.example>"), "<1.2@client.example>");
  EXPECT_EQ(id_of("\r\n <1.2@client.example>"), "<1.2@client.example>");
  EXPECT_EQ(id_of("\r\n\t<1.2@client\r\n .example> (a comment)"), "<1.2@client.example>");
  EXPECT_EQ(id_of(" (a comment) <1@b> <2@b>"), "<1@b>");
  EXPECT_EQ(id_of(" plain@client"), "plain@client");
  EXPECT_EQ(id_of(" <unfinished"), "<unfinished");
  EXPECT_EQ(id_of(""), "");
  EXPECT_EQ(id_of(" <1@b>\r\nMessage-ID: <2@b>"), "<1@b>");
  EXPECT_EQ(id_of(" <" + std::string(5'000, 'x') + "@b>"), "<" + std::string(319, 'x'));
  EXPECT_EQ(scan("From: a@b\r\n\r\nMessage-ID: <1@b>\r\n").message_id.view(), "");
}

}  // namespace
}  // namespace relayd::mail
