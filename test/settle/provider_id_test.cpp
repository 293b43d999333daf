#include "settle/provider_id.hpp"

#include <gtest/gtest.h>

namespace relayd::settle {
namespace {

std::string id(const std::string& text, std::string_view provider = {}) {
  return provider_id({250, {}, text}, provider);
}

TEST(ProviderId, StandsBehindQueuedAs) {
  EXPECT_EQ(id("Ok: queued as 4X1Y2Z"), "4X1Y2Z");
  EXPECT_EQ(id("Ok: queued as abc_DEF-1", "sendgrid"), "abc_DEF-1");
  EXPECT_EQ(id("Message queued as 65a1b2", "mailersend"), "65a1b2");
  EXPECT_EQ(id("OK, Queued As  12 (please wait)"), "12");
  EXPECT_EQ(id("Ok (queued as 12)"), "12");
  EXPECT_EQ(id("Ok: queued as 1.2."), "1.2");
  EXPECT_EQ(id("first\nOk: queued as 12\nlast"), "12");
}

TEST(ProviderId, IsWhereItsProviderPutsIt) {
  EXPECT_EQ(id("Ok 0102019a-1b2c-000000", "ses"), "0102019a-1b2c-000000");
  EXPECT_EQ(id("OK  1700000000 a1-b2c3si1 - gsmtp", "gmail"), "a1-b2c3si1");
  EXPECT_EQ(id("OK  1700000000 a1-b2c3si1 - gsmtp", "workspace-relay"), "a1-b2c3si1");
  EXPECT_EQ(id("Ok <abc@example.com>", "cloudflare"), "abc@example.com");
  EXPECT_EQ(id("OK <a@b.PROD.OUTLOOK.COM> [Hostname=b.example]", "office365"), "a@b.PROD.OUTLOOK.COM");
  EXPECT_EQ(id("OK <a@b.PROD.OUTLOOK.COM> [Hostname=b.example]", "office365-hve"), "a@b.PROD.OUTLOOK.COM");
  EXPECT_EQ(id("#1732147200-12345", "sendcloud"), "1732147200-12345");
  EXPECT_EQ(id("Ok: queued as 12", "cloudflare"), "12");
}

TEST(ProviderId, IsEmptyWhereNoneIsNamed) {
  for (const char* text : {"", "Ok", "Ok ", "Great success", "queued as", "queued as "})
    for (const char* provider : {"", "ses", "cloudflare", "gmail", "mailgun", "sendcloud"})
      EXPECT_EQ(id(text, provider), "") << provider << ": " << text;
  for (const char* text : {"Ok <", "Ok <abc", "Ok <>"}) EXPECT_EQ(id(text, "cloudflare"), "") << text;
  EXPECT_EQ(id("Ok 0102", "postmark"), "");
  EXPECT_EQ(id("Ok <a b>", "cloudflare"), "");
}

TEST(ProviderId, IsShortAndGraphic) {
  EXPECT_EQ(id("queued as " + std::string(255, 'x')), std::string(255, 'x'));
  EXPECT_EQ(id("queued as " + std::string(256, 'x')), "");
  EXPECT_EQ(id("queued as a\x1b[2J"), "");
  EXPECT_EQ(id("queued as \xe2\x80\xae"), "");
}

}  // namespace
}  // namespace relayd::settle
