#include "settle/provider_id.hpp"

#include <gtest/gtest.h>

#include <set>

#include "providers/fixture.hpp"
#include "providers/provider.hpp"

namespace relayd::settle {
namespace {

std::string id(const std::string& text, std::string_view provider = {}) {
  return provider_id({250, {}, text}, provider);
}

TEST(ProviderId, StandsBehindQueuedAs) {
  EXPECT_EQ(id("Ok: queued as 4X1Y2Z"), "4X1Y2Z");
  EXPECT_EQ(id("OK, Queued As  12 (please wait)"), "12");
  EXPECT_EQ(id("Ok (queued as 12)"), "12");
  EXPECT_EQ(id("Ok: queued as 1.2."), "1.2");
  EXPECT_EQ(id("first\nOk: queued as 12\nlast"), "12");
}

// Each provider that has a pattern has a line that needs it.
TEST(ProviderId, IsWhereItsProviderPutsIt) {
  std::set<std::string> needed;
  for (const test::Told& told : test::all_told()) {
    if (!told.id) continue;
    EXPECT_EQ(provider_id(told.reply, told.provider), *told.id) << told.where;
    if (provider_id(told.reply, "") != *told.id) needed.insert(told.provider);
  }
  for (const providers::Provider& provider : providers::all())
    EXPECT_EQ(needed.contains(std::string(provider.name)), provider.id.has_value()) << provider.name;
}

// As the log has it, from the line that the history keeps.
TEST(ProviderId, IsFoundInTheHistory) {
  for (const test::Told& told : test::all_told()) {
    if (!told.id) continue;
    EXPECT_EQ(provider_id(told.reply.code, smtp::enhanced_text(told.reply), told.provider), *told.id)
        << told.where;
  }
  EXPECT_EQ(provider_id(250, "2.0.0 first Ok: queued as 12 last", ""), "12");
  EXPECT_EQ(provider_id(250, R"(Ok: queued as a\x1b)", ""), "");
  EXPECT_EQ(provider_id(0, "queued as 12", ""), "");
}

TEST(ProviderId, IsEmptyWhereNoneIsNamed) {
  for (const char* text : {"", "Ok", "Ok ", "Great success", "queued as", "queued as "})
    for (const char* provider : {"", "ses", "cloudflare", "gmail", "mailgun", "sendcloud"})
      EXPECT_EQ(id(text, provider), "") << provider << ": " << text;
  EXPECT_EQ(id("Ok 0102", "postmark"), "");
}

TEST(ProviderId, IsShortAndGraphic) {
  EXPECT_EQ(id("queued as " + std::string(255, 'x')), std::string(255, 'x'));
  EXPECT_EQ(id("queued as " + std::string(256, 'x')), "");
  EXPECT_EQ(id("queued as a\x1b[2J"), "");
  EXPECT_EQ(id("queued as \xe2\x80\xae"), "");
}

}  // namespace
}  // namespace relayd::settle
