#include "rewrite/dkim_header.hpp"

#include <gtest/gtest.h>

#include "shared/base/base64.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd::rewrite {
namespace {

using namespace std::string_literals;

std::string relaxed_field(std::string_view field) {
  std::string text;
  append_relaxed(text, field);
  return text;
}

TEST(DkimHeader, RelaxedFields) {
  EXPECT_EQ(relaxed_field("A: X\r\n"), "a:X\r\n");
  EXPECT_EQ(relaxed_field("B : Y\t\r\n\tZ  \r\n"), "b:Y Z\r\n");
  EXPECT_EQ(relaxed_field("From: \"A  B\"  <a@x>\r\n"), "from:\"A B\" <a@x>\r\n");
  EXPECT_EQ(relaxed_field("To: b@x,\r\n\tc@x  \r\n"), "to:b@x, c@x\r\n");
  EXPECT_EQ(relaxed_field("Subject:\r\n x\r\n"), "subject:x\r\n");
  EXPECT_EQ(relaxed_field("X-Empty: \r\n"), "x-empty:\r\n");
  EXPECT_EQ(relaxed_field("Subject: =?utf-8?q?a_b?=\r\n =?utf-8?q?c?=\r\n"),
            "subject:=?utf-8?q?a_b?= =?utf-8?q?c?=\r\n");
  EXPECT_EQ(relaxed_field("Subject: \xc3\xa9\x0b  y"), "subject:\xc3\xa9\x0b y\r\n");
}

std::string list(std::string_view header, std::vector<std::string_view> unsigned_names = {}) {
  std::string text;
  for (const SignedField& field : signed_fields(header, unsigned_names)) {
    text.append(field.name);
    if (!field.whole.empty()) text.append("=").append(field.whole.substr(field.whole.find(':') + 1));
    if (text.ends_with("\r\n")) text.resize(text.size() - 2);
    text += ' ';
  }
  return text;
}

TEST(DkimHeader, WhatIsThereIsSignedAndWhatMustNotBeAddedOnceMore) {
  EXPECT_EQ(list("Received:r\r\nsubject:s\r\nBcc:x\r\nFROM:f\r\nComments:c\r\n\r\nTo: body\r\n"),
            "From=f From Sender Reply-To Subject=s Subject Date Message-ID To Cc MIME-Version Content-Type ");
  EXPECT_EQ(
      list("Content-ID:i\r\nReferences:r\r\nFrom:f\r\nIn-Reply-To:p\r\nContent-Transfer-Encoding:8bit\r\n"),
      "From=f From Sender Reply-To Subject Date Message-ID To Cc MIME-Version Content-Type "
      "Content-ID=i Content-Transfer-Encoding=8bit References=r In-Reply-To=p ");
}

TEST(DkimHeader, SeveralOfANameStandFromTheBottomUp) {
  EXPECT_EQ(
      list("To:1\r\nFrom:f\r\nTo:2\r\nTo:3\r\n"),
      "From=f From Sender Reply-To Subject Date Message-ID To=3 To=2 To=1 To Cc MIME-Version Content-Type ");
}

TEST(DkimHeader, FieldsOfListsAndOfResendingAreSigned) {
  EXPECT_EQ(list("Resent-To:n\r\nResent-Bcc:n\r\nReceived:x\r\nResent-To:o\r\nDKIM-Signature:y\r\n"
                 "List-Unsubscribe-Post:p\r\nLIST-ID:i\r\nList-Unsubscribe:u\r\nList-:x\r\nList-a;b:"
                 "x\r\nFrom:f\r\n"),
            "From=f From Sender Reply-To Subject Date Message-ID To Cc MIME-Version Content-Type "
            "LIST-ID=i List-Unsubscribe=u List-Unsubscribe-Post=p Resent-To=o Resent-To=n ");
}

TEST(DkimHeader, WhatTheNextHopReplacesIsNotSigned) {
  EXPECT_EQ(list("From:f\r\nDate:d\r\nMessage-ID:m\r\n", {"date", "message-id", "from"}),
            "From=f From Sender Reply-To Subject To Cc MIME-Version Content-Type ");
}

TEST(DkimHeader, AFoldedFieldIsWhole) {
  const std::string header = "From: a@x\r\nSubject: one\r\n two\r\n\tthree\r\nTo: b@x\r\n";
  EXPECT_EQ(relaxed(signed_fields(header, {})), "from:a@x\r\nsubject:one two three\r\nto:b@x\r\n");
}

// RFC 8463 A.3.
const std::string message_header =
    "From: Joe SixPack <joe@football.example.com>\r\n"
    "To: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\n"
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
constexpr std::string_view names[] = {"from",       "to",   "subject", "date",
                                      "message-id", "from", "subject", "date"};

std::string input_of(std::string_view own) {
  std::string input = relaxed(fields_of_list(message_header, names));
  append_relaxed(input, own);
  return input.substr(0, input.size() - 2);
}

crypto::Digest digest_of(std::string_view text) {
  crypto::Sha256 hash;
  hash.update(text);
  return hash.finish();
}

std::string hex(const crypto::Digest& digest) {
  std::string text;
  for (const std::uint8_t octet : digest) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text;
}

TEST(DkimHeader, TheEd25519SignatureOfRfc8463) {
  const std::string input = input_of(
      "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
      " d=football.example.com; i=@football.example.com;\r\n"
      " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
      " subject : date : message-id : from : subject : date;\r\n"
      " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
      " b=\r\n");
  EXPECT_EQ(input.size(), 478u);
  const crypto::Digest digest = digest_of(input);
  EXPECT_EQ(hex(digest), "48ce9a2c710ece1710ff156996b836a7f45470e43efe5643074d6e1690ed62e7");
  const auto key = crypto::SigningKey::parse("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n");
  ASSERT_TRUE(key) << key.error();
  EXPECT_EQ((*key)->public_record_key(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  EXPECT_EQ(base64::encode((*key)->sign(digest)),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==");
}

TEST(DkimHeader, WhatTheRsaSignatureOfRfc8463Covers) {
  const std::string input = input_of(
      "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
      " d=football.example.com; i=@football.example.com;\r\n"
      " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
      " date : message-id : from : subject : date;\r\n"
      " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
      " b=\r\n");
  EXPECT_EQ(hex(digest_of(input)), "fed71e6d70fb123bb5c353adc42821b304b6b9d54fc867f304f7c61daaaa1111");
}

}  // namespace
}  // namespace relayd::rewrite
