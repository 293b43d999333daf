// TokenKeeper: tokens that are got, renewed, shared and refused, on a clock that the test moves.
#include "relay/token_keeper.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <optional>

#include "relay/token_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using test::TokenScript;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::SizeIs;

using TokenKeeperTest = test::TokenWorldTest;

TEST_F(TokenKeeperTest, AnAppAsksWithItsSecretForTheScopeOfItsCloud) {
  EXPECT_EQ(token(), "T0KEN1");
  ASSERT_THAT(script.forms, SizeIs(1));
  EXPECT_EQ(script.servers.at(0).url, "https://login.microsoftonline.com/example.com/oauth2/v2.0/token");
  EXPECT_EQ(script.forms.at(0),
            "grant_type=client_credentials&client_id=app&client_secret=s3cret&"
            "scope=https%3A%2F%2Foutlook.office365.com%2F.default");
}

TEST_F(TokenKeeperTest, ATokenServesAllUsersUntilItIsRenewed) {
  EXPECT_EQ(token(), "T0KEN1");
  loop.advance(2900s);
  EXPECT_EQ(token(), "T0KEN1");
  EXPECT_EQ(ask({}, "bob@example.com").token->text.reveal(), "T0KEN1");
  EXPECT_THAT(script.forms, SizeIs(1));
}

TEST_F(TokenKeeperTest, ATokenThatIsUsedIsRenewedTenMinutesBeforeItsEnd) {
  EXPECT_EQ(token(), "T0KEN1");
  ASSERT_TRUE(loop.has_timers());
  EXPECT_THAT(loop.next_timer() - loop.now(), AllOf(Ge(2940s), Le(3000s)));
  pass(3000s);
  EXPECT_THAT(script.forms, SizeIs(2));
  EXPECT_EQ(token(), "T0KEN2");
}

TEST_F(TokenKeeperTest, AShortLivedTokenIsRenewedAtHalfItsLife) {
  script.answers = {{200, TokenScript::grant("SHORT", "30")}};
  EXPECT_EQ(token(), "SHORT");
  EXPECT_EQ(loop.next_timer() - loop.now(), 15s);
}

TEST_F(TokenKeeperTest, WithTheServerDownATokenIsUsedUntilItsEnd) {
  EXPECT_EQ(token(), "T0KEN1");
  script.is_down = true;
  pass(3000s);
  EXPECT_EQ(token(), "T0KEN1");
  loop.advance(599s);
  EXPECT_EQ(token(), "T0KEN1");
  loop.advance(1s);
  const send::Tokens::Answer answer = ask();
  EXPECT_FALSE(answer.token);
  EXPECT_TRUE(answer.why.temporary);
  EXPECT_THAT(answer.why.text, HasSubstr("nobody listens"));
}

TEST_F(TokenKeeperTest, AHundredWhoAskAtOnceShareOneRequest) {
  script.holds = true;
  std::vector<async::Task<send::Tokens::Answer>> tasks;
  for (int i = 0; i < 100; ++i) {
    tasks.push_back(keepers->of(account).token("ann@example.com", {}));
    tasks.back().start();
  }
  loop.run_until([this] { return script.under_way > 0; });
  script.let_go();
  for (auto& task : tasks) {
    ASSERT_TRUE(task.done());
    EXPECT_EQ(task.result().token->text.reveal(), "T0KEN1");
  }
  EXPECT_THAT(script.forms, SizeIs(1));
}

TEST_F(TokenKeeperTest, ARefusedTokenIsReplacedOnceInFiveMinutes) {
  EXPECT_EQ(token(), "T0KEN1");
  EXPECT_EQ(token(1), "T0KEN1");  // so new that a right is missing, not a token
  loop.advance(5min);
  EXPECT_EQ(token(1), "T0KEN2");
  EXPECT_EQ(token(1), "T0KEN2");  // of one that was replaced meanwhile
  loop.advance(299s);
  EXPECT_EQ(token(2), "T0KEN2");
  loop.advance(1s);
  EXPECT_EQ(token(2), "T0KEN3");
}

TEST_F(TokenKeeperTest, WhatPassesIsTriedAgainAfterSecondsThatDouble) {
  script.is_down = true;
  EXPECT_EQ(ask().why.wait, 5s);
  loop.advance(4s);
  ask();
  EXPECT_THAT(script.forms, SizeIs(1));
  loop.advance(1s);
  EXPECT_EQ(ask().why.wait, 10s);
  EXPECT_THAT(script.forms, SizeIs(2));
}

TEST_F(TokenKeeperTest, ARefusalIsTriedAgainAfterAQuarterOfAnHour) {
  script.answers = {{401, TokenScript::refusal("invalid_client", "AADSTS7000215: Invalid client secret")}};
  const send::Tokens::Answer answer = ask();
  EXPECT_FALSE(answer.why.temporary);
  EXPECT_EQ(answer.why.wait, 15min);
  loop.advance(899s);
  EXPECT_FALSE(ask().token);
  EXPECT_THAT(script.forms, SizeIs(1));
  loop.advance(1s);
  EXPECT_EQ(token(), "T0KEN2");
}

TEST_F(TokenKeeperTest, RetryAfterIsObeyed) {
  script.answers = {{429, R"({"error":"slow"})", {{"retry-after", "77"}}}};
  const send::Tokens::Answer answer = ask();
  EXPECT_TRUE(answer.why.temporary);
  EXPECT_EQ(answer.why.wait, 77s);
}

TEST_F(TokenKeeperTest, AServerThatSaysAtOnceIsNotAskedAtOnce) {
  script.answers = {{503, "", {{"retry-after", "0"}}}};
  const send::Tokens::Answer answer = ask();
  EXPECT_TRUE(answer.why.temporary);
  EXPECT_EQ(answer.why.wait, 5s);
}

TEST_F(TokenKeeperTest, ARefusalSaysWhatToDo) {
  script.answers = {{401, TokenScript::refusal("invalid_client", "AADSTS7000215: Invalid client secret")}};
  EXPECT_THAT(ask().why.text, HasSubstr("Copy the secret's Value"));
}

TEST_F(TokenKeeperTest, AChangedSecretEndsTheWaitAtOnce) {
  const std::string file = testing::TempDir() + "token_keeper_secret";
  const auto write = [&file](const char* text) { std::ofstream(file) << text; };
  write("0ld");
  account.oauth2.client_secret = {};
  account.oauth2.client_secret.kind = config::SecretSource::Kind::file;
  account.oauth2.client_secret.name = file;
  keepers->use({account});
  script.answers = {{401, TokenScript::refusal("invalid_client", "AADSTS7000222: expired")}};
  EXPECT_THAT(token(), HasSubstr("put it into " + file));
  EXPECT_FALSE(ask().token);
  EXPECT_THAT(script.forms, SizeIs(1));
  write("new0ne");
  EXPECT_EQ(token(), "T0KEN2");
  EXPECT_THAT(script.forms.at(1), HasSubstr("client_secret=new0ne"));
}

TEST_F(TokenKeeperTest, ATokenThatNobodyUsesIsNotRenewed) {
  EXPECT_EQ(token(), "T0KEN1");
  pass(3000s);
  EXPECT_THAT(script.forms, SizeIs(2));
  pass(4h);
  EXPECT_THAT(script.forms, SizeIs(2));
  EXPECT_EQ(token(), "T0KEN3");
}

TEST_F(TokenKeeperTest, FourAreAskedForAtATimeOfOneHost) {
  std::vector<TokenAccount> accounts;
  std::vector<async::Task<send::Tokens::Answer>> tasks;
  for (int i = 0; i < 40; ++i) {
    accounts.push_back(account);
    accounts.back().username = fmt::format("user{}@example.com", i);
  }
  keepers->use(accounts);
  script.holds = true;
  for (const TokenAccount& each : accounts) {
    tasks.push_back(keepers->of(each).token(each.username, {}));
    tasks.back().start();
  }
  loop.run_until([this] { return script.under_way == 4; });
  pass(1ms);
  EXPECT_EQ(script.under_way, 4U);
  script.let_go();
  for (auto& task : tasks) {
    loop.run_until([&task] { return task.done(); });
    EXPECT_TRUE(task.result().token);
  }
  EXPECT_THAT(script.forms, SizeIs(40));
  EXPECT_EQ(script.most_under_way, 4U);
}

TEST_F(TokenKeeperTest, AReloadEndsTheWait) {
  script.answers = {{401, TokenScript::refusal("invalid_client", "")}};
  EXPECT_FALSE(ask().token);
  keepers->use({account});
  EXPECT_EQ(token(), "T0KEN2");
}

}  // namespace
}  // namespace relayd
