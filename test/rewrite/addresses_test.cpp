#include "rewrite/addresses.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "shared/mail/address.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {
namespace {

constexpr std::string_view domain = "@example.com";

std::string completed(const std::string& header) {
  return with_domains(header, domain).value_or(header);
}

void expect_untouched(const std::string& header) {
  EXPECT_EQ(completed(header), header);
}

TEST(MissingDomains, AreThoseOfTheFieldsThatHaveAddresses) {
  for (const std::string name :
       {"From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-Reply-To",
        "Resent-To", "Resent-Cc", "Resent-Bcc", "tO", "RESENT-cc", "From "})
    EXPECT_EQ(completed(name + ": root\r\n"), name + ": root@example.com\r\n");
  for (const std::string name : {"Subject", "Return-Path", "Message-ID", "Received", "X-To", "Resent-Date",
                                 "Resent-", "Resent-Resent-To", "Delivered-To", "T", "Tos", ""})
    expect_untouched(name + ": root\r\n");
}

TEST(MissingDomains, EveryFormOfAnAddressIsCompletedInItsPlace) {
  EXPECT_EQ(completed("From: root (Cron Daemon)\r\n"), "From: root@example.com (Cron Daemon)\r\n");
  EXPECT_EQ(completed("From: \"Cron, Daemon\" <root>\r\n"), "From: \"Cron, Daemon\" <root@example.com>\r\n");
  EXPECT_EQ(completed("To:root\r\n"), "To:root@example.com\r\n");
  EXPECT_EQ(completed("To: =?utf-8?q?J=C3=B6rg?= < joerg >\r\n"),
            "To: =?utf-8?q?J=C3=B6rg?= < joerg@example.com >\r\n");
  EXPECT_EQ(completed("To: \"a b\", x@y, <@r:z>\r\n"),
            "To: \"a b\"@example.com, x@y, <@r:z@example.com>\r\n");
  EXPECT_EQ(completed("Cc: staff: ann,\r\n\tBob <bob>, c@d.example;,\r\n eve\r\n"),
            "Cc: staff: ann@example.com,\r\n\tBob <bob@example.com>, c@d.example;,\r\n eve@example.com\r\n");
}

TEST(MissingDomains, WhatHasADomainOrCannotBeReadIsLeftAlone) {
  for (const std::string body :
       {" ann@example.org", " \"root\" <ann@example.org>", " root: a@b.example;", " undisclosed-recipients:;",
        " (root)", " Cron Daemon", " <root", " <>", " root@", " \"root", " =?utf-8?q?Ann?=", " a@[192.0.2.1]",
        " ann @ example.org", " <a@b.example> root", "", " -x", " r\xff"})
    expect_untouched("From:" + body + "\r\nSubject: root\r\n");
}

TEST(MissingDomains, OnlyTheirOwnFieldsAreTouched) {
  const std::string signature =
      "DKIM-Signature: v=1; h=from:to;\r\n b=To: root\r\nFrom: Ann <ann@example.org>\r\nTo: a@b, c@d\r\n";
  expect_untouched(signature);
  EXPECT_EQ(
      completed("From root Fri Nov 20 10:00:00 2026\r\nSubject: To: root\r\n To: root\r\nTo: root\r\n"),
      "From root Fri Nov 20 10:00:00 2026\r\nSubject: To: root\r\n To: root\r\nTo: root@example.com\r\n");
  expect_untouched("");
}

// RFC 5322 2.1.1.
TEST(MissingDomains, NoLineBecomesTooLong) {
  const std::string filling(998 - 12 - std::string_view("To: root ()").size(), 'x');
  EXPECT_EQ(completed("To: root (" + filling + ")\r\n").size(), 998u + 2);
  expect_untouched("To: root (" + filling + "x)\r\n");
  std::string crowd = "To: a";
  while (crowd.size() < 900) crowd += ",a";
  expect_untouched(crowd + "\r\n");
  std::string folded = "To: a";
  for (int i = 0; i < 400; ++i) folded += ",\r\n a";
  EXPECT_EQ(completed(folded + "\r\n").size(), folded.size() + 2 + 401 * domain.size());
  EXPECT_EQ(completed(crowd + "\r\nCc: b\r\n"), crowd + "\r\nCc: b@example.com\r\n");
}

bool lacks_domain(const mail::Mailbox& mailbox) {
  return !mailbox.address.empty() && mail::split(mailbox.address).domain.empty();
}

// Whatever the header: taking out what was put in gives its octets back, each address is the one it was, and
// all have a domain.
TEST(MissingDomains, NothingIsLostWhateverIsThere) {
  constexpr std::string_view pieces[] = {"To: ", "From:", "\r\n", "\r\n ", "root", "a@b", "<",
                                         ">",    "\"",    "(",    ")",     ",",    ":",   ";",
                                         "@",    "\\",    "[",    "]",     " ",    ".",   "=?x?="};
  std::mt19937 chance(1);
  std::size_t places_seen = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string header = "To: ";
    for (int i = 0; i < 12; ++i) header += pieces[chance() % std::size(pieces)];
    header += "\r\n";
    const std::vector<std::size_t> places = missing_domains(header, domain.size());
    places_seen += places.size();
    std::string back = completed(header);
    ASSERT_TRUE(missing_domains(back, domain.size()).empty()) << header;
    for (const std::size_t place : places) {
      ASSERT_EQ(back.substr(place, domain.size()), domain) << header;
      back.erase(place, domain.size());
    }
    ASSERT_EQ(back, header);
    std::string_view before = header;
    const std::string after_text = completed(header);
    std::string_view after = after_text;
    const auto old_boxes = mail::mailboxes(mail::take_field(before).body);
    const auto new_boxes = mail::mailboxes(mail::take_field(after).body);
    ASSERT_EQ(old_boxes.size(), new_boxes.size()) << header;
    ASSERT_TRUE(std::ranges::none_of(new_boxes, lacks_domain)) << header;
    for (std::size_t i = 0; i < old_boxes.size(); ++i)
      ASSERT_TRUE(new_boxes[i].address.starts_with(old_boxes[i].address)) << header;
  }
  EXPECT_GT(places_seen, 1000u);
}

}  // namespace
}  // namespace relayd::rewrite
