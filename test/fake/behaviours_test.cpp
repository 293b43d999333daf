#include "fake/behaviours.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "providers/fixture.hpp"
#include "providers/provider.hpp"

namespace relayd::fake {
namespace {

TEST(Behaviours, OfAProviderStandBeforeThoseOfEverybody) {
  const route::Provider* const ses = providers::find("ses");
  EXPECT_EQ(find_behaviour(*ses, "throttle")->reply,
            "454 Throttling failure: Maximum sending rate exceeded.");
  EXPECT_EQ(find_behaviour(*ses, "refuse-recipient")->reply, "550 5.1.1 No such user");
  EXPECT_FALSE(find_behaviour(*ses, "ok"));
}

TEST(Behaviours, HaveOneNameEach) {
  for (const route::Provider& provider : providers::all()) {
    std::set<std::string_view> names;
    for (const Behaviour& one : behaviours_of(provider))
      EXPECT_TRUE(names.insert(one.name).second) << provider.name << " " << one.name;
  }
}

TEST(Behaviours, OfALoginAreNotThoseOfAProviderWithoutOne) {
  for (const Behaviour& one : behaviours_of(*providers::find("m365-connector")))
    EXPECT_NE(one.stage, smtp::Stage::auth) << one.name;
}

// What it means is in a fixture, so that what users try is what relayd is tested with.
TEST(Behaviours, OfAProviderAreInItsFixture) {
  for (const route::Provider& provider : providers::all())
    for (const Behaviour& one : provider.behaviours)
      EXPECT_TRUE(std::ranges::any_of(test::all_told(),
                                      [&](const test::Told& told) {
                                        return told.provider == provider.name && told.behaviour == one.name;
                                      }))
          << provider.name << " " << one.name;
}

TEST(Behaviours, OfEverybodyAreInTheGeneralFixture) {
  for (const Behaviour& one : behaviours_of(route::Provider{}))
    EXPECT_TRUE(one.reply.empty() || std::ranges::any_of(test::all_told(),
                                                         [&](const test::Told& told) {
                                                           return told.provider.empty() &&
                                                                  told.behaviour == one.name;
                                                         }))
        << one.name;
}

}  // namespace
}  // namespace relayd::fake
