#include "route/explain.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::route {
namespace {

using testing::HasSubstr;
using testing::Not;

config::SecretSource secret(config::SecretSource::Kind kind, std::string text) {
  config::SecretSource source;
  source.kind = kind;
  if (kind == config::SecretSource::Kind::literal)
    source.literal = Secret(std::move(text));
  else
    source.name = std::move(text);
  return source;
}

config::Config sample() {
  config::Config config;
  config.file = "/etc/relayd/relayd.yaml";
  config::Upstream mailgun;
  mailgun.name = "main";
  mailgun.provider = "mailgun";
  mailgun.region = "eu";
  mailgun.username = "postmaster@mg.example.com";
  mailgun.password = secret(config::SecretSource::Kind::literal, "canary");
  mailgun.limits.connections = 3;
  mailgun.limits.rate = std::vector<config::Rate>{{14, std::chrono::seconds(1)}};
  mailgun.pipelining = config::Pipelining::transaction;
  mailgun.where = {5, 3};
  config::Upstream office;
  office.name = "office";
  office.host = "smtp.example.net";
  office.ports = {465};
  config::Upstream capture;
  capture.name = "capture";
  capture.sandbox_directory = "captured";
  config.upstreams = {mailgun, office, capture};

  config::SenderRule own;
  own.match = "billing@example.com";
  own.upstreams = {{.name = "main",
                    .username = "billing@mg.example.com",
                    .password = secret(config::SecretSource::Kind::file, "/run/secrets/billing"),
                    .where = {21, 7}},
                   {.name = "office"}};
  own.where = {20, 5};
  config::SenderRule refused;
  refused.match = "@bad.example";
  refused.reject = "550 5.7.1 Not from here";
  config::SenderRule captured;
  captured.match = "dev@example.com";
  captured.upstreams = {{.name = "capture"}};
  config::SenderRule others;
  others.match = "@example.com";
  others.upstreams = {{.name = "main"}};
  config.senders = {own, refused, captured, others};
  return config;
}

std::string explained(std::string_view sender) {
  const Router::Built built = Router::build(std::make_shared<config::Config>(sample()));
  EXPECT_TRUE(built.errors.empty());
  return explain(*built.router, {.sender = sender});
}

TEST(Explain, RuleAndUpstreamsInOrder) {
  const std::string text = explained("Billing+x@example.com");
  EXPECT_THAT(text, HasSubstr("rule       \"billing@example.com\" (/etc/relayd/relayd.yaml:20)\n"));
  EXPECT_THAT(
      text,
      HasSubstr("1. main  (provider mailgun)\n   host       smtp.eu.mailgun.org  (from preset)\n"
                "   ports      587 starttls, 2525 starttls, 465 implicit, 25 starttls  (from preset)\n"));
  EXPECT_THAT(text, HasSubstr("   username   billing@mg.example.com  (/etc/relayd/relayd.yaml:21)\n"
                              "   password   file /run/secrets/billing\n"
                              "   auth       plain, login  (from preset)\n"));
  EXPECT_THAT(text, HasSubstr("connections 3  (from file)"));
  EXPECT_THAT(text, HasSubstr("messages_per_connection 1000  (default)"));
  EXPECT_THAT(text, HasSubstr("rate 14/s  (from file)"));
  EXPECT_THAT(text, HasSubstr("quota none  (default)"));
  EXPECT_THAT(text, HasSubstr("   pipelining transaction  (from file)\n"));
  EXPECT_THAT(text, HasSubstr("   pipelining ahead  (default)\n"));
  EXPECT_THAT(text, HasSubstr("message_size 26214400 octets  (from preset)"));
  EXPECT_THAT(text, HasSubstr("moves on   after connect, tls"));
  EXPECT_THAT(text, HasSubstr("2. office\n   host       smtp.example.net  (from file)\n"
                              "   ports      465 implicit  (from file)\n"));
}

TEST(Explain, NeverASecret) {
  const std::string text = explained("other@example.com");
  EXPECT_THAT(text, HasSubstr("username   postmaster@mg.example.com  (/etc/relayd/relayd.yaml:5)"));
  EXPECT_THAT(text, HasSubstr("password   in the configuration"));
  EXPECT_THAT(text, Not(HasSubstr("canary")));
}

TEST(Explain, WhatAPresetFilledIn) {
  config::Config config;
  config::Upstream office;
  office.name = office.provider = "office365";
  office.username = "me@example.com";
  office.password = secret(config::SecretSource::Kind::environment, "PASSWORD");
  office.next_password = secret(config::SecretSource::Kind::file, "/run/secrets/next");
  config.upstreams = {office};
  config.senders.emplace_back().match = "*";
  config.senders.back().upstreams = {{.name = "office365"}};
  const Router::Built built = Router::build(std::make_shared<config::Config>(config));
  ASSERT_TRUE(built.router);
  const std::string text = explain(*built.router, {.sender = "me@example.com"});
  for (const char* const part : {"host       smtp.office365.com  (from preset)",
                                 "ports      587 starttls  (from preset)", "auth       login  (from preset)",
                                 "connections 3  (from preset)", "rate 30 messages/m  (from preset)",
                                 "quota 10000/24h  (from preset)", "or         file /run/secrets/next\n"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Explain, OtherOutcomes) {
  EXPECT_THAT(explained("a@bad.example"), HasSubstr("reject     550 5.7.1 Not from here\n"));
  EXPECT_THAT(explained("a@other.example"), HasSubstr("none matches"));
  EXPECT_THAT(explained(""), HasSubstr("sender     <>\n"));
  EXPECT_THAT(explained("dev@example.com"),
              HasSubstr("sandbox    keeps messages in captured, sends nothing\n"));
  EXPECT_THAT(explained("a\n@b"), HasSubstr("a\\x0A@b"));
}

}  // namespace
}  // namespace relayd::route
