// A sign-in: refresh tokens that are replaced, stored, and outlive crashes on a disk that forgets.
#include <gmock/gmock.h>

#include "relay/token_world.hpp"
#include "shared/disk/whole_file.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using test::ForgettingDisk;
using test::TokenScript;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class SignInTest : public test::TokenWorldTest {
 protected:
  void SetUp() override {
    account.oauth2.grant = config::OAuth2Grant::refresh_token;
    account.oauth2.refresh_token = test::literal("SEED");
    TokenWorldTest::SetUp();
  }
  void answer(const std::string& access, const std::string& refresh) {
    script.answers.push_back({200, TokenScript::grant(access, "3600", refresh)});
  }
  void refuse() {
    script.answers.push_back({400, TokenScript::refusal("invalid_grant", "AADSTS70008: expired")});
  }
  static std::string asks_with(const std::string& refresh) { return "&refresh_token=" + refresh + "&"; }
  std::vector<std::string> files() {
    std::vector<std::string> names;
    for (const auto& [path, size] : disk.sizes()) names.push_back(path);
    return names;
  }
};

TEST_F(SignInTest, TheNewTokenIsDurableBeforeTheOneBesideItIsUsed) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  EXPECT_THAT(script.forms.at(0), HasSubstr(asks_with("SEED")));
  restart();
  answer("A2", "R.2");
  EXPECT_EQ(token(), "A2");
  EXPECT_THAT(script.forms.at(1), HasSubstr(asks_with("R.1")));
}

TEST_F(SignInTest, ATokenThatIsNotReplacedStays) {
  answer("A1", "");
  EXPECT_EQ(token(), "A1");
  restart();
  EXPECT_EQ(token(), "T0KEN2");
  EXPECT_THAT(script.forms.at(1), HasSubstr(asks_with("SEED")));
}

TEST_F(SignInTest, TheOneBeforeIsTriedWhereTheServerDoesNotKnowTheNewOne) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  restart();
  refuse();
  answer("A2", "R.2");
  EXPECT_EQ(token(), "A2");
  EXPECT_THAT(script.forms.at(1), HasSubstr(asks_with("R.1")));
  EXPECT_THAT(script.forms.at(2), HasSubstr(asks_with("SEED")));
}

TEST_F(SignInTest, WithoutATokenThatWorksItSaysHowToSignIn) {
  refuse();
  const send::Tokens::Answer answer = ask();
  EXPECT_FALSE(answer.why.temporary);
  EXPECT_THAT(answer.why.text, HasSubstr("Run relayd oauth login main"));
  EXPECT_THAT(files(), IsEmpty());
  account.oauth2.refresh_token = {};
  account.username = "bob@example.com";
  EXPECT_THAT(ask({}, "bob@example.com").why.text,
              HasSubstr("nobody has signed in: run relayd oauth login main"));
}

TEST_F(SignInTest, AnotherSeedWinsOnce) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  account.oauth2.refresh_token = test::literal("OTHER");
  restart();
  answer("A2", "R.2");
  EXPECT_EQ(token(), "A2");
  EXPECT_THAT(script.forms.at(1), HasSubstr(asks_with("OTHER")));
  restart();
  EXPECT_EQ(token(), "T0KEN3");
  EXPECT_THAT(script.forms.at(2), HasSubstr(asks_with("R.2")));
}

TEST_F(SignInTest, AFileOfAnotherClientIsNotUsed) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  account.oauth2.client_id = "other";
  restart();
  token();
  EXPECT_THAT(script.forms.at(1), AllOf(HasSubstr("client_id=other"), HasSubstr(asks_with("SEED"))));
}

TEST_F(SignInTest, ADamagedFileIsToldAndNotUsed) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  stop();
  disk.damage(files().at(0), 0);
  disk.restart(0);
  start();
  EXPECT_THAT(token(), AllOf(HasSubstr("none: tokens/"), HasSubstr("damaged"), Not(HasSubstr("R.1"))));
  EXPECT_THAT(script.forms, SizeIs(1));
}

TEST_F(SignInTest, AFullDiskLetsMailGoOnAndIsWrittenLater) {
  disk.arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  answer("A2", "R.2");
  pass(3000s);
  EXPECT_EQ(token(), "A2");
  EXPECT_THAT(script.forms.at(1), HasSubstr(asks_with("R.1")));
  disk.heal();
  pass(61s);
  restart();
  EXPECT_EQ(token(), "T0KEN3");
  EXPECT_THAT(script.forms.at(2), HasSubstr(asks_with("R.2")));
}

// Wherever the power goes, there is a token afterwards that the server once gave.
TEST_F(SignInTest, APowerCutAtAnyWriteLeavesATokenThatWorks) {
  answer("A1", "R.1");
  EXPECT_EQ(token(), "A1");
  for (std::size_t call = 1; call < 9; ++call) {
    stop();
    start();
    const std::size_t asked = script.forms.size();
    disk.arm(call, ForgettingDisk::Fault::power_fails);
    answer("A2", "R.2");
    token();
    stop();
    disk.restart(static_cast<unsigned>(call % 3));
    start();
    answer("A3", "R.1");
    EXPECT_EQ(token(), "A3") << call;
    EXPECT_THAT(script.forms.at(asked + 1),
                testing::AnyOf(HasSubstr(asks_with("R.1")), HasSubstr(asks_with("R.2"))))
        << call;
    ASSERT_THAT(files(), SizeIs(testing::Le(2U)));
  }
}

TEST_F(SignInTest, ATokenThatNobodyUsesIsRenewedEachWeek) {
  for (int i = 1; i < 40; ++i) answer("A", "R." + std::to_string(i));
  for (int i = 0; i < 100 * 2; ++i) pass(12h);
  EXPECT_GE(script.forms.size(), 100U / 8);
  EXPECT_LE(script.forms.size(), 100U / 7 + 2);
  EXPECT_THAT(script.forms.back(), HasSubstr(asks_with("R." + std::to_string(script.forms.size() - 1))));
}

}  // namespace
}  // namespace relayd
