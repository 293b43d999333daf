#include <gtest/gtest.h>

#include <string>

#include "accept/intake.hpp"

namespace relayd::accept {
namespace {

// Neither kind of account, nor the number of iterations, tells a name that exists from one that does not.
TEST(FindAccount, ANameThatNobodyHasLooksLikeOneThatSomebodyHas) {
  Accounts accounts;
  EXPECT_FALSE(find_account(accounts, "nobody"));
  accounts.emplace("ann", sasl::ScramSecret{8192, "salt", std::string(32, 's'), std::string(32, 'k')});
  const auto made_up = find_account(accounts, "nobody");
  ASSERT_TRUE(made_up);
  const auto& secret = std::get<sasl::ScramSecret>(*made_up);
  EXPECT_EQ(secret.iterations, 8192U);
  EXPECT_EQ(secret.salt.size(), 16U);
  EXPECT_EQ(secret.salt, std::get<sasl::ScramSecret>(*find_account(accounts, "nobody")).salt);
  EXPECT_NE(secret.salt, std::get<sasl::ScramSecret>(*find_account(accounts, "somebody")).salt);
  accounts.emplace("bob", Secret("secret"));
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += find_account(accounts, "name" + std::to_string(i)).has_value();
  EXPECT_GT(kept, 20);
  EXPECT_LT(kept, 80);
}

}  // namespace
}  // namespace relayd::accept
