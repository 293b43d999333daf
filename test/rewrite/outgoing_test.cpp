#include "rewrite/outgoing.hpp"

#include <gtest/gtest.h>

namespace relayd::rewrite {
namespace {

constexpr std::string_view stored =
    "Received: from a by b\r\nFrom: Ann <ann@int.example>\r\nTo: bob@customer.example\r\nSubject: x\r\n\r\n";

mail::Envelope envelope(std::initializer_list<std::string> recipients) {
  mail::Envelope envelope;
  envelope.sender = "ann@int.example";
  envelope.routing_sender = envelope.sender;
  for (const std::string& recipient : recipients) envelope.recipients.push_back({recipient, "SUCCESS", ""});
  return envelope;
}

config::RewriteRule rule(std::string match, std::string to) {
  config::RewriteRule rule;
  rule.match = std::move(match);
  rule.to = std::move(to);
  rule.sender = rule.recipient = rule.from_fields = rule.to_fields = true;
  return rule;
}

Scope scope(std::vector<config::RewriteRule> rules, const config::HeaderRules* headers = nullptr) {
  return {RewriteRules(rules, When::sent), headers};
}

Staging staging(std::string prefix = "") {
  config::Staging settings;
  settings.redirect = "dev@int.example";
  settings.allow = {"@allowed.example"};
  settings.subject_prefix = std::move(prefix);
  return Staging(settings);
}

TEST(Outgoing, WhatNothingIsAboutStays) {
  const Scope nothing;
  const Staging off;
  Way way;
  way.general = &nothing;
  way.staging = &off;
  const Outgoing out = outgoing(way, envelope({"bob@customer.example"}), stored);
  EXPECT_FALSE(out.envelope);
  EXPECT_FALSE(out.header);
  EXPECT_TRUE(out.replaced.empty());
  EXPECT_TRUE(out.broken_signature.empty());
}

TEST(Outgoing, EnvelopeAndHeaderAreRewrittenTogether) {
  const Scope general = scope({rule("@int.example", "@example.com")});
  Way way;
  way.general = &general;
  const Outgoing out = outgoing(way, envelope({"bob@customer.example", "eve@int.example"}), stored);
  ASSERT_TRUE(out.envelope && out.header);
  EXPECT_EQ(out.envelope->sender, "ann@example.com");
  EXPECT_EQ(out.envelope->recipients[0].address, "bob@customer.example");
  EXPECT_EQ(out.envelope->recipients[1].address, "eve@example.com");
  EXPECT_EQ(out.envelope->recipients[1].notify, "SUCCESS");
  EXPECT_NE(out.header->find("From: Ann <ann@example.com>\r\n"), std::string::npos);
}

TEST(Outgoing, TheRuleComesBeforeTheUpstreamAndThatBeforeAllOfIt) {
  const Scope general = scope({rule("@int.example", "general@x")});
  const Scope upstream = scope({rule("@int.example", "upstream@x")});
  const Scope own = scope({rule("@int.example", "rule@x")});
  Way way;
  way.general = &general;
  EXPECT_EQ(outgoing(way, envelope({}), stored).envelope->sender, "general@x");
  way.upstream = &upstream;
  EXPECT_EQ(outgoing(way, envelope({}), stored).envelope->sender, "upstream@x");
  way.rule = &own;
  EXPECT_EQ(outgoing(way, envelope({}), stored).envelope->sender, "rule@x");
}

TEST(Outgoing, MailThatWaitedBeforeStagingBeganGoesToNobodyElse) {
  const Staging on = staging("[test]");
  Way way;
  way.staging = &on;
  const Outgoing out = outgoing(way, envelope({"bob@customer.example", "a@allowed.example", "c@z"}), stored);
  ASSERT_TRUE(out.envelope && out.header);
  EXPECT_EQ(out.envelope->recipients[0].address, "dev@int.example");
  EXPECT_EQ(out.envelope->recipients[0].notify, "NEVER");
  EXPECT_EQ(out.envelope->recipients[1].address, "a@allowed.example");
  EXPECT_EQ(out.envelope->recipients[2].address, "dev@int.example");
  EXPECT_EQ(out.replaced.size(), 2U);
  EXPECT_TRUE(
      out.header->starts_with("X-Original-To: bob@customer.example\r\nX-Original-To: c@z\r\nReceived:"));
  EXPECT_NE(out.header->find("Subject: [test] x\r\n"), std::string::npos);
}

TEST(Outgoing, OfAReportStagingNamesNobody) {
  const Staging on = staging("[test]");
  Way way;
  way.staging = &on;
  mail::Envelope report = envelope({"bob@customer.example", "ops@z"});
  report.report = mail::ReportOf{"1j0m0u4e32g", {0}, 0, false};
  const Outgoing out = outgoing(way, report, stored);
  EXPECT_EQ(out.envelope->recipients[0].address, "dev@int.example");
  EXPECT_EQ(out.header->find("X-Original-To"), std::string::npos);
}

// Staging decides about whom a recipient leaves to, whatever rewriting makes of an address.
TEST(Outgoing, RewritingLeadsNobodyOutOfStaging) {
  const Staging on = staging();
  const Scope general = scope({rule("@allowed.example", "@elsewhere.example")});
  Way way;
  way.staging = &on;
  way.general = &general;
  const Outgoing out = outgoing(way, envelope({"a@allowed.example"}), stored);
  EXPECT_EQ(out.envelope->recipients[0].address, "dev@int.example");
}

TEST(Outgoing, HeaderRulesSeeWhatRewritingMade) {
  config::HeaderRules headers;
  headers.remove = {"X-Secret"};
  headers.set = {{"Reply-To", "help@example.com"}};
  const Scope general = scope({rule("@int.example", "@example.com")}, &headers);
  Way way;
  way.general = &general;
  const std::string header = "X-Secret: 1\r\nReply-To: ann@int.example\r\n" + std::string(stored);
  const Outgoing out = outgoing(way, envelope({}), header);
  EXPECT_EQ(out.header->find("X-Secret"), std::string::npos);
  EXPECT_NE(out.header->find("Reply-To: help@example.com\r\n"), std::string::npos);
  EXPECT_EQ(out.header->find("int.example"), std::string::npos);
}

TEST(Outgoing, HeaderRulesDoNotHideStaging) {
  config::HeaderRules headers;
  headers.remove = {"X-*"};
  headers.set = {{"Subject", "other"}};
  const Scope general = scope({}, &headers);
  const Staging on = staging("[test]");
  Way way;
  way.general = &general;
  way.staging = &on;
  const Outgoing out = outgoing(way, envelope({"bob@customer.example"}), stored);
  EXPECT_TRUE(out.header->starts_with("X-Original-To: bob@customer.example\r\n"));
  EXPECT_NE(out.header->find("Subject: [test] other\r\n"), std::string::npos);
}

TEST(Outgoing, ASignatureThatNoLongerFitsIsNamed) {
  const Scope general = scope({rule("@int.example", "@example.com")});
  Way way;
  way.general = &general;
  const std::string header = "DKIM-Signature: v=1; h=from:to; d=int.example; b=\r\n" + std::string(stored);
  EXPECT_EQ(outgoing(way, envelope({}), header).broken_signature, "from");
}

TEST(Outgoing, HeaderEndsWithItsEmptyLine) {
  EXPECT_EQ(header_of("A: b\r\n\r\nbody\r\n\r\nmore"), "A: b\r\n\r\n");
  EXPECT_EQ(header_of("A: b\r\n"), "A: b\r\n");
}

}  // namespace
}  // namespace relayd::rewrite
