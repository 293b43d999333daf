#include "rewrite/header_addresses.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "rewrite/rules_of.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {
namespace {

std::string rewritten(std::string_view header) {
  return Rules({rule("@int.example", "@example.com")}).header(header);
}

// Nothing, and not a copy.
void expect_untouched(const std::string& header) {
  Rules rules({rule("@int.example", "@example.com")});
  EXPECT_EQ(rules.rewriting().header(header, rules.notes), std::nullopt) << header;
  EXPECT_TRUE(rules.notes.empty());
}

TEST(HeaderAddresses, OnlyTheAddressDiffers) {
  EXPECT_EQ(rewritten("From: \"Smith, Ann\" <ann@int.example>\r\n"),
            "From: \"Smith, Ann\" <ann@example.com>\r\n");
  EXPECT_EQ(rewritten("From: ann@int.example (Ann \\( S)\r\n"), "From: ann@example.com (Ann \\( S)\r\n");
  EXPECT_EQ(rewritten("To: Team: a@int.example, <b@x>;, c@INT.example\r\n"),
            "To: Team: a@example.com, <b@x>;, c@example.com\r\n");
  EXPECT_EQ(rewritten("To: a@int.example,\r\n\tb@int.example\r\n"),
            "To: a@example.com,\r\n\tb@example.com\r\n");
  EXPECT_EQ(rewritten("From: ann@int.example, bob@int.example\r\n"),
            "From: ann@example.com, bob@example.com\r\n");
  EXPECT_EQ(rewritten("From: =?utf-8?q?ann=40int.example?= (c) < Ann@Int.Example >  \r\n"),
            "From: =?utf-8?q?ann=40int.example?= (c) < Ann@example.com >  \r\n");
  EXPECT_EQ(rewritten("To: \"a b\"@int.example, \"x\" <\"y\\\"z\"@int.example>"),
            "To: \"a b\"@example.com, \"x\" <\"y\\\"z\"@example.com>");
}

TEST(HeaderAddresses, WhatHoldsNoAddressStays) {
  for (const std::string body :
       {" undisclosed-recipients:;", " Group:;", "", " ", " =?utf-8?q?ann=40int.example?= <x@y>",
        " \"ann@int.example\" <x@y>", " (ann@int.example) x@y", " <<a@int.example>>", " \"a@int.example",
        " (a@int.example", " a@int.example@int.example b", " a\x01@int.example", " <a@int.example", " <>",
        " =?utf-8?q?ann=40int.example?="})
    expect_untouched("From:" + body + "\r\nTo:" + body + "\r\n");
  expect_untouched(std::string("To: a\0@int.example\r\n", 20));
  expect_untouched("To: a@int.example.org, b@xint.example, c@sub.int.example\r\n");
}

TEST(HeaderAddresses, ObsoleteFormsAreWrittenPlainWithTheirComments) {
  EXPECT_EQ(rewritten("From: <@r1,@r2:ann@int.example>\r\n"), "From: <ann@example.com>\r\n");
  EXPECT_EQ(rewritten("From: ann @ int . example\r\n"), "From: ann@example.com\r\n");
  EXPECT_EQ(rewritten("From: \"A\" < a . b (one) @ (\"\\) x) int .\r\n example > (two)\r\n"),
            "From: \"A\" < a.b@example.com (one) (\"\\) x) > (two)\r\n");
  EXPECT_EQ(rewritten("From: <@r , @s : \"a b\" @ int.example>\r\n"), "From: <\"a b\"@example.com>\r\n");
  expect_untouched("To: J. Smith, ann int . example, bob @ x . example\r\n");
}

TEST(HeaderAddresses, EachInstanceOfEachFieldIsConcerned) {
  EXPECT_EQ(rewritten("From: a@int.example\r\nFROM : b@int.example\r\nFrom:c@int.example\r\n\r\n"),
            "From: a@example.com\r\nFROM : b@example.com\r\nFrom:c@example.com\r\n\r\n");
  EXPECT_EQ(rewritten("Resent-To: a@int.example\r\nResent-From: b@x\r\nResent-To: c@int.example\r\n"),
            "Resent-To: a@example.com\r\nResent-From: b@x\r\nResent-To: c@example.com\r\n");
}

TEST(HeaderAddresses, FieldsOfSendersAndOfRecipientsAreTwoClasses) {
  const auto field = [](const std::string& name, const std::string& in) {
    return Rules({rule("@int.example", "@example.com", in)}).header(name + ": a@int.example\r\n");
  };
  for (const std::string name :
       {"From", "Sender", "Reply-To", "Errors-To", "Return-Path", "Disposition-Notification-To",
        "Return-Receipt-To", "Mail-Followup-To", "Resent-From", "Resent-Sender", "sENDER"}) {
    EXPECT_EQ(field(name, "from"), name + ": a@example.com\r\n");
    EXPECT_EQ(field(name, "sender recipient to"), name + ": a@int.example\r\n");
  }
  for (const std::string name : {"To", "Cc", "Bcc", "Apparently-To", "Resent-To", "Resent-Cc", "Resent-Bcc",
                                 "Resent-Reply-To", "cC"}) {
    EXPECT_EQ(field(name, "to"), name + ": a@example.com\r\n");
    EXPECT_EQ(field(name, "sender recipient from"), name + ": a@int.example\r\n");
  }
  for (const std::string name :
       {"Message-ID", "References", "Received", "List-Post", "List-Unsubscribe", "DKIM-Signature", "Subject",
        "X-To", "In-Reply-To", "Delivered-To", "Resent-Message-ID", "Tos", "T", ""})
    EXPECT_EQ(field(name, "sender recipient from to"), name + ": a@int.example\r\n");
}

TEST(HeaderAddresses, WhatNoRuleIsAboutComesBackAsItIs) {
  expect_untouched(
      "DKIM-Signature: v=1; h=from:to;\r\n b=To: a@int.example\r\nFrom: Ann <ann@x>\r\nTo: b@y\r\n");
  expect_untouched("From a@int.example Fri Nov 20 10:00:00 2026\r\nSubject: a\r\n To: a@int.example\r\n");
  expect_untouched("");
}

// --- lines ------------------------------------------------------------------------------------------------

TEST(HeaderAddresses, ALineThatBecomesTooLongIsFolded) {
  const std::string filling(970, 'x');
  EXPECT_EQ(rewritten("To: " + filling + "@y, a@int.example\r\n"),
            "To: " + filling + "@y, a@example.com\r\n");
  const std::string to = std::string(30, 'z') + ".example";
  Rules rules({rule("@int.example", "@" + to)});
  EXPECT_EQ(rules.header("To: " + filling + "@y, a@int.example\r\n"),
            "To: " + filling + "@y,\r\n a@" + to + "\r\n");
  EXPECT_TRUE(rules.notes.empty());
}

TEST(HeaderAddresses, AFieldThatCannotBeFoldedIsLeftAndNoted) {
  const std::string field = "To:\"" + std::string(970, 'x') + "\"<ann@int.example>\r\n";
  Rules rules({rule("@int.example", "@" + std::string(40, 'z') + ".example")});
  EXPECT_EQ(rules.header(field + "Cc: ann@int.example\r\n"),
            field + "Cc: ann@" + std::string(40, 'z') + ".example\r\n");
  ASSERT_EQ(rules.notes.size(), 1u);
  EXPECT_EQ(rules.notes[0].why, Left::line);
  EXPECT_EQ(rules.notes[0].address, "ann@int.example");
}

TEST(HeaderAddresses, ManyLongAndNestedOnesTakeLinearTime) {
  std::string to = "To: ", expected;
  for (int i = 0; i < 10'000; ++i) to += (i ? "," : "") + std::string("a@int.example");
  const std::string result = rewritten(to + "\r\n");
  std::size_t count = 0, line = 0;
  for (std::size_t at = result.find("a@example.com"); at != std::string::npos;
       at = result.find("a@example.com", at + 1))
    ++count;
  for (const char c : result) {
    line = c == '\n' ? 0 : line + 1;
    ASSERT_LE(line, 999u);  // with its CR
  }
  EXPECT_EQ(count, 10'000u);
  const std::string comments = std::string(10'000, '(') + std::string(10'000, ')');
  for (const std::string& text : {comments, std::string(100'000, '('), std::string(100'000, '<'),
                                  std::string(100'000, '"'), std::string(100'000, '\\')})
    rewritten("To: b " + text + " <ann@int.example>, a@int.example\r\n");
  rewritten("To: a" + comments + "@int.example\r\n");
  std::string fields;
  for (int i = 0; i < 10'000; ++i) fields += "From: a@int.example\r\n";
  EXPECT_EQ(Rules({forced("*", "n@x")}).header(fields).size(), 10'000 * 11 + 25u);
}

// --- any header -------------------------------------------------------------------------------------------

// A header cut at its addresses: what stands between them, and them.
struct Cut {
  std::vector<std::string> between;
  std::vector<std::string> addresses;
};

Cut cut(std::string_view header) {
  Cut result{{""}, {}};
  while (!header.empty()) {
    const mail::Field field = mail::take_field(header);
    std::size_t done = 0;
    if (class_of(field.name)) {
      const auto body = static_cast<std::size_t>(field.body.data() - field.whole.data());
      for (const mail::Mailbox& mailbox : mail::mailboxes(field.body)) {
        result.addresses.push_back(mailbox.address + mailbox.obsolete);
        if (result.addresses.back().empty()) continue;
        result.between.back() += field.whole.substr(done, body + mailbox.begin - done);
        result.between.emplace_back();
        done = body + mailbox.end;
      }
    }
    result.between.back() += field.whole.substr(done);
  }
  return result;
}

std::string random_header(std::mt19937& random) {
  static const std::string names[] = {"From", "To: ", "cc ", "Subject", "Reply-To", "Resent-From", "X"};
  static const std::string parts[] = {"ann@int.example",
                                      "<ann@int.example>",
                                      "bob@x.example",
                                      "<bob+t@INT.example>",
                                      "\"a, b\"",
                                      "(c)",
                                      "(",
                                      "<@r,@s:ann@int.example>",
                                      "ann @ int . example",
                                      "Team:",
                                      ";",
                                      ",",
                                      ",\r\n\t",
                                      " ",
                                      "\r\n ",
                                      "=?utf-8?q?a@int.example?=",
                                      "\"q r\"@int.example",
                                      "<",
                                      ">",
                                      ":",
                                      "\\",
                                      "@",

                                      "j\xc3\xb6@int.example",
                                      ", ",
                                      ", ",
                                      ", "};
  const auto pick = [&random](const auto& list) { return list[random() % std::size(list)]; };
  std::string header;
  for (std::size_t fields = 1 + random() % 4; fields > 0; --fields) {
    header += pick(names) + ":";
    for (std::size_t count = random() % 12; count > 0; --count) header += pick(parts);
    header += "\r\n";
  }
  return header;
}

TEST(HeaderAddresses, OfAnyHeaderTheAddressesAreMappedAndNothingElseChanges) {
  std::mt19937 random(14);
  std::size_t changed = 0;
  for (int i = 0; i < 30'000; ++i) {
    const std::string header = random_header(random);
    Rules rules({rule("@int.example", "@example.com")});
    rules.smtp_utf8 = true;
    const std::string result = rules.header(header);
    if (result != header) ++changed;
    Cut expected = cut(header);
    for (std::string& address : expected.addresses)
      address = rules.rewriting().sender(address, rules.notes).value_or(address);
    const Cut found = cut(result);
    ASSERT_EQ(found.addresses, expected.addresses) << header;
    ASSERT_EQ(found.between, expected.between) << header;
  }
  EXPECT_GT(changed, 5'000u);
}

// --- the forced From --------------------------------------------------------------------------------------

std::string with_forced(std::string_view header) {
  return Rules({forced("*", "no@x.example")}).header(header);
}

TEST(ForcedFrom, TheOldOneGoesToReplyTo) {
  EXPECT_EQ(with_forced("From: \"Smith, Ann\" <ann@a>\r\nTo: b@c\r\n"),
            "From: \"Smith, Ann\" <no@x.example>\r\nReply-To: \"Smith, Ann\" <ann@a>\r\nTo: b@c\r\n");
  EXPECT_EQ(with_forced("To: b@c\r\nFrom:ann@a (Ann)"),
            "To: b@c\r\nFrom:no@x.example (Ann)\r\nReply-To: ann@a (Ann)\r\n");
  EXPECT_EQ(with_forced("From:\r\n ann@a\r\n"), "From:\r\n no@x.example\r\nReply-To:\r\n ann@a\r\n");
}

TEST(ForcedFrom, AReplyToThatIsThereStays) {
  for (const std::string reply_to :
       {"Reply-To: ann@a\r\n", "Reply-To:\r\n", "REPLY-TO: <<\r\n", "Reply-To: a@b\r\nReply-To: c@d\r\n"})
    EXPECT_EQ(with_forced(reply_to + "From: ann@a\r\n"), reply_to + "From: no@x.example\r\n");
}

TEST(ForcedFrom, SeveralAuthorsBecomeOneAndAllAreAnswered) {
  EXPECT_EQ(with_forced("From: Ann <ann@a>,\r\n\tbob@b (Bob)\r\n"),
            "From: Ann <no@x.example>\r\nReply-To: Ann <ann@a>,\r\n\tbob@b (Bob)\r\n");
  EXPECT_EQ(with_forced("From: Authors: ann@a, <bob@b>;\r\n"),
            "From: no@x.example\r\nReply-To: Authors: ann@a, <bob@b>;\r\n");
  EXPECT_EQ(with_forced("From: \"No\" <no@x.example>, <bob@b>\r\n"),
            "From: \"No\" <no@x.example>\r\nReply-To: \"No\" <no@x.example>, <bob@b>\r\n");
  EXPECT_EQ(Rules({forced("@a", "no@x.example")}).header("From: Ann <ann@a>, Bob <bob@b>\r\n"),
            "From: Ann <no@x.example>, Bob <bob@b>\r\nReply-To: Ann <ann@a>, Bob <bob@b>\r\n");
}

TEST(ForcedFrom, WhoIsNotForcedIsAnsweredWhereHeHasBecome) {
  Rules rules({forced("ann@a", "no@x.example"), rule("@a", "@out.example")});
  const std::string once = rules.header("From: Ann <ann@a>, Bob <bob@a>\r\n");
  EXPECT_EQ(once,
            "From: Ann <no@x.example>, Bob <bob@out.example>\r\n"
            "Reply-To: Ann <ann@a>, Bob <bob@out.example>\r\n");
  EXPECT_EQ(rules.header(once), once);
}

TEST(ForcedFrom, ASenderThatEqualsItIsDropped) {
  EXPECT_EQ(with_forced("Sender: app@a\r\nFrom: ann@a\r\nTo: b@c\r\n"),
            "From: no@x.example\r\nReply-To: ann@a\r\nTo: b@c\r\n");
  Rules some({forced("ann@a", "No@x.example")});
  EXPECT_EQ(some.header("From: ann@a\r\nSender: no@X.example\r\n"),
            "From: No@x.example\r\nReply-To: ann@a\r\n");
  EXPECT_EQ(some.header("From: ann@a\r\nSender: app@a\r\n"),
            "From: No@x.example\r\nReply-To: ann@a\r\nSender: app@a\r\n");
  EXPECT_EQ(rewritten("Sender: a@int.example\r\nFrom: a@int.example\r\n"),
            "Sender: a@example.com\r\nFrom: a@example.com\r\n")
      << "no rule has `keep` here";
}

TEST(ForcedFrom, WhereRepliesGoStays) {
  const std::string rest =
      "Errors-To: ann@a\r\nReturn-Path: <ann@a>\r\nMail-Followup-To: ann@a\r\nReturn-Receipt-To: ann@a\r\n"
      "Disposition-Notification-To: ann@a\r\nReply-To: ann@a\r\nTo: ann@a\r\n";
  EXPECT_EQ(with_forced("From: ann@a\r\n" + rest), "From: no@x.example\r\n" + rest);
}

TEST(ForcedFrom, OfAResentMessageTheResentFromIsForced) {
  EXPECT_EQ(with_forced("Resent-From: eve@e\r\nResent-Sender: s@e\r\nResent-From: dan@d\r\n"
                        "From: ann@a\r\nSender: app@a\r\n"),
            "Resent-From: no@x.example\r\nResent-Sender: no@x.example\r\nResent-From: no@x.example\r\n"
            "From: ann@a\r\nSender: app@a\r\n");
}

TEST(ForcedFrom, WhatCannotBeReadStays) {
  for (const std::string body : {" Group:;", " <<a@b>>", ""})
    EXPECT_EQ(with_forced("From:" + body + "\r\n"), "From:" + body + "\r\n");
  EXPECT_EQ(with_forced("To: b@c\r\n"), "To: b@c\r\n");
}

TEST(ForcedFrom, OneThatIsThereAlreadyNeedsNothing) {
  const std::string header = "From: No <no@x.example>\r\nSender: no@x.example\r\n";
  EXPECT_EQ(with_forced(header), header);
}

TEST(ForcedFrom, IsNotForcedWhereTheOldOneFitsNowhere) {
  const std::string header =
      "From:\r\n \"" + std::string(980, 'x') + "\"<ann@long.name.example>\r\nSender: app@a\r\n";
  Rules rules({forced("*", "c@d")});
  EXPECT_EQ(rules.header(header), header.substr(0, header.find("Sender")) + "Sender: c@d\r\n");
  ASSERT_EQ(rules.notes.size(), 1u);
  EXPECT_EQ(rules.notes[0].why, Left::line);
}

}  // namespace
}  // namespace relayd::rewrite
