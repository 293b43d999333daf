#include "rewrite/received.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::rewrite {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr WallTime when{std::chrono::seconds(1'795'157'646)};

ReceivedFacts facts() {
  ReceivedFacts result;
  result.helo = "client.example.com";
  result.client = "192.0.2.1";
  result.hostname = "mail.example.com";
  result.id = "01kd5v3f2q0";
  result.recipient = "b@example.net";
  result.when = when;
  return result;
}

TEST(Received, WholeField) {
  EXPECT_EQ(received_field(facts()),
            "Received: from client.example.com ([192.0.2.1])\r\n"
            "\tby mail.example.com (relayd) with ESMTP id 01kd5v3f2q0\r\n"
            "\tfor <b@example.net>;\r\n"
            "\tFri, 20 Nov 2026 06:54:06 +0000\r\n");
}

TEST(Received, ProtocolSaysHowItCame) {
  ReceivedFacts any = facts();
  any.tls = true;
  EXPECT_THAT(received_field(any), HasSubstr(" with ESMTPS id "));
  any.authenticated = true;
  EXPECT_THAT(received_field(any), HasSubstr(" with ESMTPSA id "));
  any.smtp_utf8 = true;
  EXPECT_THAT(received_field(any), HasSubstr(" with UTF8SMTPSA id "));
  any.tls = false;
  EXPECT_THAT(received_field(any), HasSubstr(" with UTF8SMTPA id "));
  any.extended = false;
  EXPECT_THAT(received_field(any), HasSubstr(" with SMTP id "));
}

TEST(Received, SeveralRecipientsAreNotTold) {
  ReceivedFacts any = facts();
  any.recipient = "";
  EXPECT_THAT(received_field(any), Not(HasSubstr("for <")));
}

TEST(Received, ClientsOfOtherKinds) {
  ReceivedFacts any = facts();
  any.client = "::1";
  any.helo = "[IPv6:::1]";
  EXPECT_THAT(received_field(any), HasSubstr("from [IPv6:::1] ([IPv6:::1])\r\n"));
  any.client = "unix";
  EXPECT_THAT(received_field(any), HasSubstr(" (unix)\r\n"));
  any.client = "uid:1000";
  EXPECT_THAT(received_field(any), HasSubstr(" (uid:1000)\r\n"));
  any.helo = "";
  EXPECT_THAT(received_field(any), HasSubstr("from unknown ("));
}

TEST(Received, WhatTheClientSaidCannotBreakOut) {
  ReceivedFacts any = facts();
  any.helo = "a)\r\nX: (b";
  any.recipient = "b@c>\r\nX: y";
  const std::string field = received_field(any);
  EXPECT_THAT(field, HasSubstr("from a???X:??b ([192.0.2.1])\r\n"));
  EXPECT_THAT(field, Not(HasSubstr("for <")));
}

TEST(Received, NoLineIsOverTheLimit) {
  const std::string name(5000, 'x');
  ReceivedFacts any = facts();
  any.helo = any.hostname = any.id = name;
  const std::string field = received_field(any);
  std::size_t begin = 0;
  for (std::size_t end = field.find("\r\n"); end != std::string::npos; end = field.find("\r\n", begin)) {
    EXPECT_LE(end - begin, 998u);
    begin = end + 2;
  }
}

TEST(MissingFields, OnlyWhatIsMissing) {
  mail::HeaderFacts header;
  header.octets = 10;
  EXPECT_EQ(missing_fields(header, "01", "mail.example.com", "ann@example.com", when),
            "Date: Fri, 20 Nov 2026 06:54:06 +0000\r\nMessage-ID: <01@mail.example.com>\r\n"
            "From: <ann@example.com>\r\n");
  EXPECT_EQ(missing_fields(header, "01", "h", "", when).find("From"), std::string::npos);  // nobody
  header.from = {"ann@example.com"};
  header.has_date = true;
  EXPECT_EQ(missing_fields(header, "01", "h", "ann@example.com", when), "Message-ID: <01@h>\r\n");
  header.has_message_id = true;
  EXPECT_EQ(missing_fields(header, "01", "h", "ann@example.com", when), "");
}

TEST(MissingFields, BodyWithoutHeaderIsKeptApart) {
  EXPECT_TRUE(missing_fields({}, "01", "h", "ann@example.com", when)
                  .ends_with("\r\nFrom: <ann@example.com>\r\n\r\n"));
}

}  // namespace
}  // namespace relayd::rewrite
