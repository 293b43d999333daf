#include "providers/provider.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "providers/fixture.hpp"

namespace relayd::providers {
namespace {

TEST(Provider, IsFoundByItsWholeName) {
  EXPECT_EQ(find("126")->name, "126");
  for (const char* name : {"", "12", "SES", "ses "}) EXPECT_EQ(find(name), nullptr) << name;
}

TEST(Provider, HasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const Provider& provider : all()) EXPECT_TRUE(names.insert(provider.name).second) << provider.name;
}

TEST(Provider, HasFixtures) {
  for (const Provider& provider : all()) {
    if (!provider.is_preset() && provider.replies.empty()) continue;  // it has control fields alone
    EXPECT_TRUE(std::ranges::any_of(test::all_told(), [&provider](const test::Told& told) {
      return told.provider == provider.name;
    })) << provider.name;
  }
}

TEST(Provider, IsCompleteWhereItCanBeNamed) {
  for (const Provider& provider : all()) {
    if (!provider.is_preset()) continue;
    EXPECT_FALSE(provider.endpoints.empty() || provider.mechanisms.empty()) << provider.name;
    EXPECT_FALSE(provider.account.hint.empty()) << provider.name;
    EXPECT_EQ(provider.account.form == UsernameForm::one_word, !provider.account.word.empty())
        << provider.name;
    for (const Region& region : provider.regions) EXPECT_FALSE(region.host.empty()) << provider.name;
  }
}

}  // namespace
}  // namespace relayd::providers
