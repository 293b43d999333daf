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
    if (provider.behaviours.empty() && provider.replies.empty()) continue;
    EXPECT_TRUE(std::ranges::any_of(test::all_told(), [&provider](const test::Told& told) {
      return told.provider == provider.name;
    })) << provider.name;
  }
}

TEST(Provider, NamesItsSourcesAndTheirDay) {
  for (const Provider& provider : all()) {
    EXPECT_FALSE(provider.source.empty()) << provider.name;
    EXPECT_FALSE(provider.day.empty()) << provider.name;
  }
}

TEST(Provider, IsCompleteWhereItCanBeNamed) {
  for (const Provider& provider : all()) {
    if (!provider.is_preset()) continue;
    EXPECT_FALSE(provider.endpoints.empty()) << provider.name;
    EXPECT_FALSE(provider.account.hint.empty()) << provider.name;
    EXPECT_EQ(provider.account.form == UsernameForm::one_word, !provider.account.word.empty())
        << provider.name;
    EXPECT_TRUE(provider.account.suffix.empty() || !provider.account.word.empty()) << provider.name;
    if (provider.mechanisms.empty()) {
      EXPECT_TRUE(provider.account.hint.starts_with("none")) << provider.name;
    }
    for (const Region& region : provider.regions)
      EXPECT_TRUE(!region.host.empty() || provider.regions.size() == 1) << provider.name;
  }
}

}  // namespace
}  // namespace relayd::providers
