// Accounts: what findings mean for who is well, and what of it is worth telling.
#include "watch/accounts.hpp"

#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using namespace std::chrono_literals;

const std::vector<AccountName> names = {{"ses", "app"}, {"ses", "web"}, {"office", "bob"}};

Finding failed(const std::string& upstream, const std::string& account, const std::string& reply_class,
               Step step = Step::auth) {
  Finding finding{Health::failed, step, upstream, account};
  finding.reply_class = reply_class;
  finding.text = "535 no";
  finding.advice = "Correct it";
  return finding;
}

class AccountsTest : public testing::Test {
 protected:
  // All that does not fail logs in.
  std::vector<std::string> take(std::vector<Finding> findings) {
    for (const AccountName& name : names)
      findings.push_back({Health::ok, Step::auth, name.upstream, name.account});
    std::vector<std::string> told;
    for (const Account& account : accounts.take(names, findings, now += 1h))
      told.push_back(account.name.upstream + "/" + account.name.account +
                     (account.well ? " well" : " fails"));
    return told;
  }
  using Told = std::vector<std::string>;

  Accounts accounts;
  WallTime now{std::chrono::seconds(1'790'000'000)};
};

TEST_F(AccountsTest, WhoIsWellFromTheBeginningIsNoNews) {
  EXPECT_EQ(take({}), Told{});
  EXPECT_FALSE(accounts.in_doubt());
  EXPECT_TRUE(accounts.is_well({"ses", "app"}));
  EXPECT_FALSE(accounts.is_well({"ses", "stranger"}));
}

TEST_F(AccountsTest, AFailureIsToldOnceAndItsEndOnce) {
  EXPECT_EQ(take({failed("ses", "app", "auth")}), Told{"ses/app fails"});
  EXPECT_EQ(take({failed("ses", "app", "auth")}), Told{});
  EXPECT_EQ(accounts.all()[0].reason, "535 no");
  EXPECT_EQ(accounts.all()[0].advice, "Correct it");
  EXPECT_EQ(accounts.all()[0].since, now - 1h);
  EXPECT_EQ(accounts.all()[0].looked_at, now);
  EXPECT_TRUE(accounts.in_trouble());
  EXPECT_FALSE(accounts.is_well({"ses", "app"}));
  EXPECT_EQ(take({}), Told{"ses/app well"});
  EXPECT_EQ(accounts.all()[0].reason, "");
  EXPECT_EQ(take({}), Told{});
}

TEST_F(AccountsTest, WhatMayPassIsBelievedTheSecondTime) {
  for (const std::string passing : {"connect", "temp", "rate", "conn"}) {
    EXPECT_EQ(take({failed("office", "bob", passing)}), Told{}) << passing;
    EXPECT_TRUE(accounts.in_doubt());
    EXPECT_FALSE(accounts.is_well({"office", "bob"}));
    EXPECT_EQ(take({failed("office", "bob", passing)}), Told{"office/bob fails"}) << passing;
    EXPECT_EQ(take({}), Told{"office/bob well"});
  }
  EXPECT_EQ(take({failed("office", "bob", "connect")}), Told{});
  EXPECT_EQ(take({}), Told{});
}

TEST_F(AccountsTest, ATroubleOfTheUpstreamIsThatOfAllItsAccounts) {
  EXPECT_EQ(take({failed("ses", "", "tls", Step::tls)}), (Told{"ses/app fails", "ses/web fails"}));
}

TEST_F(AccountsTest, WhomNoLookCameToIsNotCalledWell) {
  accounts.take(names, {{Health::ok, Step::connect, "ses", ""}, {Health::note, Step::auth, "ses", "app"}},
                now);
  EXPECT_FALSE(accounts.is_well({"ses", "app"}));
  take({failed("ses", "app", "auth")});
  accounts.take(names, {}, now);
  EXPECT_TRUE(accounts.in_trouble());  // as it stood
}

TEST_F(AccountsTest, DnsAndWarningsFailNobody) {
  Finding warning = failed("ses", "app", "auth");
  warning.health = Health::warning;
  EXPECT_EQ(take({warning, failed("ses", "app", "", Step::dns)}), Told{});
}

TEST_F(AccountsTest, WhoIsNotConfiguredAnyMoreIsForgotten) {
  take({failed("ses", "app", "auth")});
  EXPECT_TRUE(accounts.take({}, {}, now).empty());
  EXPECT_TRUE(accounts.all().empty());
}

TEST_F(AccountsTest, KnowsWhichSendersAreTaken) {
  Finding taken{Health::ok, Step::sender, "ses", "app", "a@example.com"};
  Finding refused = failed("ses", "web", "sender", Step::sender);
  refused.at = "b@example.com";
  take({taken, refused});
  EXPECT_EQ(accounts.senders(), std::vector<std::string>{"a@example.com"});
}

}  // namespace
}  // namespace relayd::watch
