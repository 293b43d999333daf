// JWTs, verified by the public half of what signed them.
#include "shared/oauth/assertion.hpp"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shared/base/base64.hpp"

namespace relayd::oauth {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr WallTime now{std::chrono::seconds(1'790'000'000)};

const Secret& pem() {
  static const Secret text = crypto::SigningKey::generate(crypto::SigningKey::Type::rsa);
  return text;
}
const Key& key() {
  static const Key one = crypto::SigningKey::parse(pem().reveal()).value();
  return one;
}

std::string decoded(std::string text) {
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  while (text.size() % 4 != 0) text += '=';
  return base64::decode(text).value();
}

struct Jwt {
  json header;
  json claims;
  std::string text;  // that is signed
  std::string signature;
};
Jwt parts_of(std::string_view text) {
  const std::size_t first = text.find('.'), last = text.rfind('.');
  return {json::parse(decoded(std::string(text.substr(0, first)))),
          json::parse(decoded(std::string(text.substr(first + 1, last - first - 1)))),
          std::string(text.substr(0, last)), decoded(std::string(text.substr(last + 1)))};
}

bool verifies(const Jwt& jwt, int padding) {
  const std::string der = base64::decode(key()->public_record_key()).value();
  const auto* octets = reinterpret_cast<const std::uint8_t*>(der.data());
  const bssl::UniquePtr<EVP_PKEY> half(d2i_PUBKEY(nullptr, &octets, static_cast<long>(der.size())));
  bssl::ScopedEVP_MD_CTX context;
  EVP_PKEY_CTX* options = nullptr;
  return EVP_DigestVerifyInit(context.get(), &options, EVP_sha256(), nullptr, half.get()) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(options, padding) == 1 &&
         (padding != RSA_PKCS1_PSS_PADDING || EVP_PKEY_CTX_set_rsa_pss_saltlen(options, 32) == 1) &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const std::uint8_t*>(jwt.signature.data()),
                          jwt.signature.size(), reinterpret_cast<const std::uint8_t*>(jwt.text.data()),
                          jwt.text.size()) == 1;
}

TEST(Assertion, Base64UrlHasItsOwnLettersAndNoPadding) {
  EXPECT_EQ(base64url("\xfb\xff\xfe\xff"), "-__-_w");
}

TEST(Assertion, AClientIsShownByItsCertificate) {
  crypto::Digest thumbprint{};
  thumbprint[0] = 0xff;
  const Secret text =
      client_assertion({"https://login.example/token", "app", "id-1", thumbprint}, *key(), now);
  const Jwt jwt = parts_of(text.reveal());
  EXPECT_EQ(
      jwt.header,
      json::parse(R"({"alg":"PS256","typ":"JWT","x5t#S256":"_wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})"));
  EXPECT_EQ(
      jwt.claims,
      json::parse(
          R"({"aud":"https://login.example/token","iss":"app","sub":"app","jti":"id-1","nbf":1790000000,"exp":1790000600})"));
  EXPECT_TRUE(verifies(jwt, RSA_PKCS1_PSS_PADDING));
}

TEST(Assertion, AServiceAccountAsksForAMailbox) {
  const ServiceAccount account{"robot@project.example", "key-1", "https://oauth2.example/token", key()};
  const Secret text = service_assertion(account, "https://mail.google.com/", "ann@example.com", now);
  const Jwt jwt = parts_of(text.reveal());
  EXPECT_EQ(jwt.header, json::parse(R"({"alg":"RS256","typ":"JWT","kid":"key-1"})"));
  EXPECT_EQ(
      jwt.claims,
      json::parse(
          R"({"iss":"robot@project.example","sub":"ann@example.com","scope":"https://mail.google.com/","aud":"https://oauth2.example/token","iat":1790000000,"exp":1790003600})"));
  EXPECT_TRUE(verifies(jwt, RSA_PKCS1_PADDING));
}

TEST(Assertion, TheKeyOfAServiceAccountIsRead) {
  json file = {{"type", "service_account"},
               {"private_key_id", "key-1"},
               {"private_key", std::string(pem().reveal())},
               {"client_email", "robot@project.example"},
               {"token_uri", "https://oauth2.example/token"}};
  const Result<ServiceAccount> account = parse_service_account(file.dump());
  ASSERT_TRUE(account.ok()) << account.error();
  EXPECT_EQ(account->email, "robot@project.example");
  EXPECT_EQ(account->key_id, "key-1");
  file["token_uri"] = "http://oauth2.example/token";
  EXPECT_THAT(parse_service_account(file.dump()).error(), HasSubstr("https"));
  file["private_key"] = "no key";
  EXPECT_THAT(parse_service_account(file.dump()).error(), HasSubstr("RSA"));
  EXPECT_THAT(parse_service_account(R"({"installed":{}})").error(), HasSubstr("service account"));
}

}  // namespace
}  // namespace relayd::oauth
