#include "shared/mail/mailboxes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Their addresses; "" for what cannot be read.
std::vector<std::string> addresses(std::string_view body) {
  std::vector<std::string> found;
  for (const Mailbox& mailbox : mailboxes(body)) found.push_back(mailbox.address);
  return found;
}

TEST(Mailboxes, OneAddressInAllItsForms) {
  for (const char* body : {"a@b",
                           " a@b ",
                           "<a@b>",
                           "X Y <a@b>",
                           "\"X, <c@d>\" <a@b>",
                           "(c@d) a@b (e)",
                           "Group: a@b;",
                           "G: X <a@b>;",
                           "<@x,@y:a@b>",
                           ", a@b",
                           "=?utf-8?q?X=2C?= <a@b>",
                           "(a (b) \\) c) <a@b>",
                           "< a@b >",
                           "<a@b(comment)>",
                           "X:<a@b>",
                           "(a (b) c@d) a@b",
                           "<a@b> X",
                           "X [y: <a@b>",
                           "a @ b",
                           "<a(c)@(d)b>",
                           "X\r\n\t<a@b>\r\n"})
    EXPECT_THAT(addresses(body), ElementsAre("a@b")) << body;
  EXPECT_THAT(addresses("\"a b\"@c"), ElementsAre("\"a b\"@c"));
  EXPECT_THAT(addresses("a@[IPv6:::1], <b@[192.0.2.1]>"), ElementsAre("a@[IPv6:::1]", "b@[192.0.2.1]"));
  EXPECT_THAT(addresses("root"), ElementsAre("root"));
}

TEST(Mailboxes, NonsenseIsAMailboxThatCannotBeRead) {
  for (const char* body :
       {"X a@b", "<a@b", "<>", "\"a@b", "a@b c@d", "<a@b c>", "@", "<@x>", "a@b@c", "a\\@b", "a b@c",
        "a. b@c", "a(c)b@d", "a@", "a@[b", "-a@b", "=?utf-8?q?Ann?=", "Ann Doe"})
    EXPECT_THAT(addresses(body), ElementsAre("")) << body;
}

TEST(Mailboxes, NothingIsNoMailbox) {
  for (const char* body : {"", " ", ", ,;", "undisclosed-recipients:;", "(only a comment)", "(a@b", "\r\n"})
    EXPECT_THAT(addresses(body), IsEmpty()) << body;
}

TEST(Mailboxes, AllOfAFieldInTheirOrder) {
  EXPECT_THAT(addresses("X <a@b>, c@d (e@f)"), ElementsAre("a@b", "c@d"));
  EXPECT_THAT(addresses("Group: a@b, \"Y, Z\" <c@d>; <e@f>"), ElementsAre("a@b", "c@d", "e@f"));
  EXPECT_THAT(addresses("<a@b> <c@d>, e@f"), ElementsAre("a@b", "c@d", "e@f"));
  EXPECT_THAT(addresses("<a@b> group: c@d;"), ElementsAre("a@b", "c@d"));
  EXPECT_THAT(addresses("a b@c, root, <d@e"), ElementsAre("", "root", ""));
}

// It is no address by the RFC, and one for some readers.
TEST(Mailboxes, AnAddressBehindBracketsCannotBeRead) {
  for (const char* body : {"<a@b> c@d", "<a@b>c@d", "X <a@b> Y c @ d", "<a@b> \"c@d\"",
                           "<a@b> =?utf-8?q?c=40d?=", "<a@b> c\uff20d", "<a@b> c\ufe6bd", "<a@b> c@d: ;"})
    EXPECT_THAT(addresses(body), ElementsAre("a@b", "")) << body;
  EXPECT_THAT(addresses("<a@b> c@d, e@f"), ElementsAre("a@b", "", "e@f"));
  EXPECT_THAT(addresses("<a@b> c@d <e@f>"), ElementsAre("a@b", "", "e@f"));
  for (const char* body :
       {"<a@b> X", "<a@b> (c@d)", "<a@b> J\u00f6rg", "c@d <a@b>", "=?utf-8?q?c=40d?= <a@b>"})
    EXPECT_THAT(addresses(body), ElementsAre("a@b")) << body;
}

TEST(Mailboxes, SomeAddressesMayBeMisread) {
  for (const char* address : {"\"<c@d>\"@b", "\"c@d\"@b", "\"<\"@b", "=?utf-8?B?Y0Bk?=@b",
                              "a=?utf-8?q?=40?=@b", "c\uff20d", "c\uff20d@b", "c\ufe6bd@b"})
    EXPECT_TRUE(may_be_misread(address)) << address;
  for (const char* address :
       {"a@b", "a", "\"a b\"@c", "a=b?c@d", "j\u00f6rg@b\u00fccher.example", "\u7528\u6237@b"})
    EXPECT_FALSE(may_be_misread(address)) << address;
}

TEST(Mailboxes, KnowWhereTheyStand) {
  const std::string_view body = " root (x, y),\r\n \"Z\" <a> , G: <@r:b(c)> d;e@f.example g,<h";
  const std::vector<Mailbox> found = mailboxes(body);
  ASSERT_EQ(found.size(), 5u);
  const auto before = [&](std::size_t i) { return body.substr(0, found[i].end); };
  EXPECT_EQ(before(0), " root");
  EXPECT_TRUE(before(1).ends_with("\"Z\" <a"));
  EXPECT_TRUE(before(2).ends_with("<@r:b"));
  EXPECT_EQ(found[0].text, "root (x, y)");
  EXPECT_EQ(found[1].text, "\"Z\" <a>");
  EXPECT_EQ(found[2].text, "<@r:b(c)>");
  EXPECT_EQ(found[3].text, "e@f.example g");
  EXPECT_EQ(found[4].text, "<h");
}

TEST(Mailboxes, AnAddressBeginsWithItsRoute) {
  for (const std::string body : {" {a@b}", "X <{a@b}> y", "G: c@d, {a@b};", "X: <{@r,@s : a@b}>",
                                 "c@d, {a (c) @ b} (d)", "<@r:c@d>, {e@f}", "<@r:c@d>, <{e@f}>"}) {
    const std::size_t begin = body.find('{'), end = body.find('}') - 1;
    std::string plain = body;
    plain.erase(end + 1, 1).erase(begin, 1);
    EXPECT_EQ(mailboxes(plain).back().begin, begin) << body;
    EXPECT_EQ(mailboxes(plain).back().end, end) << body;
  }
}

TEST(Mailboxes, BlanksAroundDotsMakeAnObsoleteForm) {
  for (const char* body : {"ann @ int . example", "<ann@int. example>", "X <ann@int(c) . (d)\r\n example>"}) {
    ASSERT_EQ(mailboxes(body).size(), 1u) << body;
    EXPECT_EQ(mailboxes(body)[0].address, "");
    EXPECT_EQ(mailboxes(body)[0].obsolete, "ann@int.example");
  }
  EXPECT_EQ(mailboxes("a . b @ c")[0].obsolete, "a.b@c");
  for (const char* body :
       {"a@b", "J. Smith", "\"a . b\"", "a b@c . d", "=? . ?=", "<<a@b . c>", "a@b .", "a@b <"})
    for (const Mailbox& mailbox : mailboxes(body)) EXPECT_EQ(mailbox.obsolete, "") << body;
}

TEST(Mailboxes, ALongFieldTakesLinearTime) {
  std::string body;
  for (int i = 0; i < 200'000; ++i) body += "(a,\"";
  EXPECT_THAT(addresses(body), IsEmpty());
  body.clear();
  for (int i = 0; i < 200'000; ++i) body += "a <b>,";
  EXPECT_EQ(addresses(body).size(), 200'000u);
}

TEST(MailboxList, EmptyMembersCountForNothing) {
  EXPECT_THAT(mailbox_list("a@b.example, (nobody) ,, root").value(), ElementsAre("a@b.example", "root"));
  EXPECT_THAT(mailbox_list("").value(), IsEmpty());
}

TEST(MailboxList, AGroupWhoseNameHoldsAnAddressIsAnError) {
  EXPECT_THAT(mailbox_list("a@b.example Bcc: c@d.example").error(), testing::HasSubstr("'a@b.example Bcc'"));
  EXPECT_TRUE(mailbox_list("\"a@b\": c@d.example;"));
}

TEST(MailboxList, SoIsOneWhoseQuotedLocalPartBeginsIt) {
  EXPECT_THAT(mailbox_list("\"ceo\"@b.example: app@a.example").error(), HasSubstr("ceo"));
  EXPECT_THAT(*mailbox_list("\"ceo@b.example\": app@a.example;"), ElementsAre("app@a.example"));
}

TEST(MailboxList, NobodyBehindBracketsIsLeftOut) {
  EXPECT_THAT(mailbox_list("X <a@b.example> c@d.example").error(),
              HasSubstr("'X <a@b.example> c@d.example'"));
}

TEST(MailboxList, WhatIsNoAddressIsAnErrorThatQuotesIt) {
  for (const char* wrong : {"a b c", "<a@b.example", "<>", "-C/x", "a@b.example, <c@@d>", "\"open"})
    EXPECT_FALSE(mailbox_list(wrong)) << wrong;
  EXPECT_THAT(mailbox_list("a@b.example, G: no good ;").error(), HasSubstr("'no good'"));
  EXPECT_THAT(mailbox_list("X <no good>, a@b.example").error(), HasSubstr("'X <no good>'"));
}

}  // namespace
}  // namespace relayd::mail
