// What a request for a token is made of: files, keys and commands.
#include "relay/token_sources.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "shared/crypto/signing_key.hpp"
#include "shared/net/certificates.hpp"
#include "support/forgetting_disk.hpp"
#include "support/temporary_directory.hpp"

namespace relayd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class TokenSourcesTest : public testing::Test {
 protected:
  std::string write(const std::string& name, std::string_view text, mode_t mode = 0600) {
    const std::string path = directory.path() / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  Result<TokenRequest> make() { return make_token_request({account, "ann@example.com", WallTime{}}, store); }

  test::TemporaryDirectory directory;
  test::ForgettingDisk disk;
  TokenStore store{disk};
  TokenAccount account;
};

TEST_F(TokenSourcesTest, ACertificateProvesTheClientWithItsOwnKey) {
  test::CertificateShape shape;
  shape.rsa_bits = 2048;
  const test::Certificate own(shape);
  const test::Certificate other(shape);
  account.oauth2.provider = config::OAuth2Provider::microsoft;
  account.oauth2.client_certificate = write("app.pem", own.pem());
  account.oauth2.client_key = write("app.key", own.key_pem());
  const Result<TokenRequest> request = make();
  ASSERT_TRUE(request.ok()) << request.error();
  EXPECT_THAT(std::string(request->form.reveal()), HasSubstr("client_assertion=ey"));
  EXPECT_EQ(request->thumbprint.size(), 64U);
  account.oauth2.client_key = write("other.key", other.key_pem());
  EXPECT_THAT(make().error(), HasSubstr("other.key is not the RSA key of"));
  account.oauth2.client_key = write("open.key", own.key_pem(), 0644);
  EXPECT_THAT(make().error(), HasSubstr("can be read by others"));
}

TEST_F(TokenSourcesTest, AServiceAccountAsksAtTheServerOfItsKey) {
  const Secret pem = crypto::SigningKey::generate(crypto::SigningKey::Type::rsa);
  account.oauth2.provider = config::OAuth2Provider::google;
  account.oauth2.grant = config::OAuth2Grant::service_account;
  account.oauth2.key_file = write("robot.json", nlohmann::json{{"type", "service_account"},
                                                               {"private_key", std::string(pem.reveal())},
                                                               {"client_email", "robot@example.com"},
                                                               {"token_uri", "https://oauth2.example/token"}}
                                                    .dump());
  const Result<TokenRequest> request = make();
  ASSERT_TRUE(request.ok()) << request.error();
  EXPECT_EQ(request->url, "https://oauth2.example/token");
  EXPECT_THAT(std::string(request->form.reveal()), HasSubstr("&assertion=ey"));
}

TEST_F(TokenSourcesTest, ACommandIsToldTheUserAndPrintsTheToken) {
  account.oauth2.token_command = {
      "/bin/sh", "-c",
      "printf '{\"access_token\":\"%s\",\"expires_in\":60}' \"for-${RELAYD_OAUTH2_USER%@*}\""};
  const Result<TokenRequest> request = make();
  ASSERT_TRUE(request.ok() && request->printed);
  EXPECT_EQ(std::get<oauth::Grant>(request->printed->reply).access_token.reveal(), "for-ann");
  account.oauth2.token_command = {"/bin/sh", "-c", "echo no luck >&2; exit 3"};
  EXPECT_THAT(make().error(), HasSubstr("token: /bin/sh ended with status 3: no luck"));
}

TEST_F(TokenSourcesTest, ASecretThatCannotBeReadIsNamed) {
  account.oauth2.client_secret.kind = config::SecretSource::Kind::file;
  account.oauth2.client_secret.name = directory.path() / "missing";
  EXPECT_THAT(make().error(), StartsWith("client_secret: "));
}

}  // namespace
}  // namespace relayd
