#include "rewrite/staging.hpp"

#include <gtest/gtest.h>

namespace relayd::rewrite {
namespace {

Staging staging() {
  config::Staging settings;
  settings.redirect = "dev@example.com";
  settings.allow = {"@example.com", "user@allowed.example", "\"a@b\"@exact.example", "@*.sub.example"};
  return Staging(settings);
}

std::vector<mail::Recipient> recipients(std::initializer_list<std::string> addresses) {
  std::vector<mail::Recipient> result;
  for (const std::string& address : addresses) result.push_back({address, "SUCCESS", "rfc822;" + address});
  return result;
}

std::string text(const std::vector<mail::Recipient>& recipients) {
  std::string result;
  for (const mail::Recipient& recipient : recipients)
    result += recipient.address + "/" + recipient.notify + "/" + recipient.original_recipient + " ";
  return result;
}

TEST(Staging, AllowsByPattern) {
  for (const char* address : {"ann@example.com", "ANN@EXAMPLE.COM", "user@allowed.example",
                              "user+x@allowed.example", "a@deep.sub.example"})
    EXPECT_TRUE(staging().allows(address)) << address;
}

TEST(Staging, AllowsNobodyWhoOnlyLooksLikeIt) {
  for (const char* address :
       {"ann@example.com.evil.example", "ann@evil.example", "other@allowed.example", "ann@ex\xc3\xa4mple.com",
        "ann@sub.example", "victim%evil.example@example.com", "evil.example!victim@example.com",
        "\"victim@evil.example\"@example.com", "ann", "", "ann@xexample.com", "@example.com@evil.example"})
    EXPECT_FALSE(staging().allows(address)) << address;
}

TEST(Staging, AllowsAnAddressThatIsNamedAsItIs) {
  EXPECT_TRUE(staging().allows("\"a@b\"@exact.example"));
}

TEST(Staging, OneCopyTakesThePlaceOfAllWhoAreNotAllowed) {
  std::vector<mail::Recipient> all = recipients({"bob@customer.example", "ann@example.com", "eve@x.example"});
  EXPECT_EQ(
      text(staging().replace(all)),
      "bob@customer.example/SUCCESS/rfc822;bob@customer.example eve@x.example/SUCCESS/rfc822;eve@x.example ");
  EXPECT_EQ(text(all), "ann@example.com/SUCCESS/rfc822;ann@example.com dev@example.com/NEVER/ ");
}

TEST(Staging, TheRedirectIsThereOnce) {
  std::vector<mail::Recipient> all = recipients({"dev@example.com", "bob@customer.example"});
  staging().replace(all);
  EXPECT_EQ(text(all), "dev@example.com/NEVER/ ");
}

TEST(Staging, WithoutSettingsNothingChanges) {
  std::vector<mail::Recipient> all = recipients({"bob@customer.example"});
  EXPECT_TRUE(Staging().replace(all).empty());
  EXPECT_EQ(all.size(), 1U);
  EXPECT_TRUE(Staging().allows("bob@customer.example"));
}

TEST(Staging, FieldsNameTheFirstHundred) {
  std::vector<mail::Recipient> all(102, mail::Recipient{"a@b", "", ""});
  const std::string fields = original_to_fields(all);
  EXPECT_TRUE(fields.starts_with("X-Original-To: a@b\r\nX-Original-To: a@b\r\n"));
  EXPECT_TRUE(fields.ends_with("X-Original-To: a@b\r\nX-Original-To: and 2 more\r\n"));
  EXPECT_EQ(std::count(fields.begin(), fields.end(), '\n'), 101);
  EXPECT_EQ(original_to_fields({}), "");
}

}  // namespace
}  // namespace relayd::rewrite
