// Signing in: codes of devices, and browsers that come back.
#include "shared/oauth/sign_in.hpp"

#include <gmock/gmock.h>

namespace relayd::oauth {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

config::OAuth2 person(config::OAuth2Provider provider) {
  config::OAuth2 oauth2;
  oauth2.provider = provider;
  oauth2.grant = config::OAuth2Grant::refresh_token;
  oauth2.tenant = "example.com";
  oauth2.client_id = "app";
  return oauth2;
}
// RFC 7636 B.
const BrowserRequest request{"http://127.0.0.1:4711", "some-state",
                             "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"};

TEST(SignIn, ADeviceCodeIsShownWithItsAddress) {
  const Result<DeviceCode> code = parse_device_code(
      {200,
       {},
       R"({"device_code":"D.1","user_code":"ABC-DEF","verification_uri":"https://login.example/device","interval":7,"expires_in":900})"});
  ASSERT_TRUE(code.ok()) << code.error();
  EXPECT_EQ(code->user_code, "ABC-DEF");
  EXPECT_EQ(code->interval, 7s);
  EXPECT_EQ(parse_device_code(
                {200, {}, R"({"device_code":"D","user_code":"A","verification_uri":"https://a.example/"})"})
                ->interval,
            5s);
  EXPECT_FALSE(parse_device_code(
                   {200, {}, R"({"device_code":"D","user_code":"A","verification_uri":"http://a.example/"})"})
                   .ok());
  EXPECT_THAT(parse_device_code({400, {}, R"({"error":"invalid_client"})"}).error(),
              HasSubstr("invalid_client"));
}

TEST(SignIn, PollingGoesOnUntilTheServerSaysTheEnd) {
  const auto wait = [](const char* error) { return wait_after(Refusal{.error = error}, 5s); };
  EXPECT_EQ(wait("authorization_pending"), 5s);
  EXPECT_EQ(wait("slow_down"), 10s);
  for (const char* const end :
       {"authorization_declined", "access_denied", "expired_token", "bad_verification_code"})
    EXPECT_EQ(wait(end), std::nullopt);
}

TEST(SignIn, ABrowserIsSentWithAChallenge) {
  const config::OAuth2 oauth2 = person(config::OAuth2Provider::google);
  const std::string url = browser_url(oauth2, endpoint_of(oauth2), request);
  EXPECT_THAT(url, testing::StartsWith(
                       "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=app"));
  EXPECT_THAT(
      url,
      HasSubstr("&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"));
  EXPECT_THAT(url, HasSubstr("&access_type=offline&prompt=consent"));
  EXPECT_THAT(url, Not(HasSubstr(request.verifier)));
}

TEST(SignIn, TheCodeIsTakenOfThisSignInAlone) {
  for (const char* const address :
       {"http://127.0.0.1:4711/?state=some-state&code=4%2F0a", "/?code=4%2F0a&state=some-state HTTP/1.1",
        "?code=4/0a&state=some-state#"}) {
    const Result<Secret> code = code_in(address, request.state);
    ASSERT_TRUE(code.ok()) << address << code.error();
    EXPECT_EQ(code->reveal(), "4/0a");
  }
  EXPECT_THAT(code_in("/?code=1&state=other", request.state).error(), HasSubstr("state"));
  EXPECT_THAT(code_in("/?code=1", "").error(), HasSubstr("state"));
  EXPECT_THAT(code_in("/?error=access_denied&state=some-state", request.state).error(),
              HasSubstr("access_denied"));
  EXPECT_THAT(code_in("/?state=some-state", request.state).error(), HasSubstr("no code"));
}

TEST(SignIn, ACodeIsChangedWithItsVerifier) {
  const config::OAuth2 oauth2 = person(config::OAuth2Provider::microsoft);
  const Secret form = code_form(oauth2, endpoint_of(oauth2), request, {}, Secret(std::string("4/0a")));
  EXPECT_THAT(
      std::string(form.reveal()),
      HasSubstr("code=4%2F0a&redirect_uri=http%3A%2F%2F127.0.0.1%3A4711&code_verifier=" + request.verifier));
}

}  // namespace
}  // namespace relayd::oauth
