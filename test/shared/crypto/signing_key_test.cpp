#include "shared/crypto/signing_key.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "shared/base/base64.hpp"

namespace relayd::crypto {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Type = SigningKey::Type;

// RFC 8463 A.1.
constexpr std::string_view seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
constexpr std::string_view of_seed = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

// Made for this test by openssl, and used nowhere else.
const std::string short_rsa =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIICeQIBADANBgkqhkiG9w0BAQEFAASCAmMwggJfAgEAAoGBALCKDwHG/97rsGIj\n"
    "9DV5r28aICmzOGZw62f8kD98/rP/6koSpBn4PPb7MNgxJ9zQ5YsWZrvN+D8BMsjy\n"
    "YYK4Zo5Rsx7xp0eyzQVwWhpoafUA9mUM3PonXM6xRwU21ftsHz9vyqlJ4ZBitpnA\n"
    "ilJeFUxvUeGs9ZGI+px8/v8RkPEZAgMBAAECgYEAsIBnfpxqJ4M25vgRagGOP6M8\n"
    "MtTnd6w//8hIo+Ehee9MW+CFRx2kPj5n2E5VD3Wfec7cybmlD8Dv+G40xY/9n3VA\n"
    "siqtFbAS9J5y6w+uthf7exOyKwZMLED5f8k82I7zclw1e2yIBq6B2MKy3Rr7ao5I\n"
    "G2FPhB4UrBtZrOQh3XECQQDfMI/9e8zaalXOxo6xum4jtBxPlXFO5UF1JehG0PQt\n"
    "Y+RZqsJCUbGA32SMzFRLnXNqco9pN+WSj4xlEqxDcsHtAkEAyn3fS+CurtvvGGUK\n"
    "14psNDYgEAl9+XMHdDA08YB4t7J+U0IqIvTPy4qMCptHgVn09pfu+kgLj60OQc6r\n"
    "Dsq2XQJBAKq/YklQ3yXx1/e7XAuITx6tekNAV1E+ftd6yrryvPvEwjv/MWK/UQcA\n"
    "4NH+uDapHFVBk4mxo8Z+X7ArmvJ25vkCQQCpwx2R36yTrI+nRA7y5XoRy87Vox+a\n"
    "InX9Uu0QC0UpvNtrsezhoZ0UZ/NAcS5ho6lbk8Umz3/h1JQ/V6TRoeGBAkEAzxXG\n"
    "gMmBz066t7V87WE+QJbhJPZwxz/WnqcV68ZF2eb/mQDkSzUwcR5pi6qC+mNNEKcX\n"
    "mPK3qiAwTdkoFTH4PQ==\n"
    "-----END PRIVATE KEY-----\n";
const std::string elliptic =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgV8M29FH5GVnkEVjn\n"
    "ZTkZCaQr/3Gw0ml4jEbCs6EHJrWhRANCAATRWexm+G8DIN4cBHwWsII7yXAvz0DG\n"
    "8dfoHkvR2EjyB5g1Oq4WN/Tn7SVysv7oryg+NWsll+Ox4XeN8i/0Ckim\n"
    "-----END PRIVATE KEY-----\n";
const std::string exponent_of_one =
    "-----BEGIN RSA PRIVATE KEY-----\n"
    "MIICoAIBAAKCAQEAvJXXfgqrJriPbRJRW+Yw/tSYh/mzwG4fjIP9q8ADNiLj+6aE\n"
    "Dz7oJRq8wmA+4aC9hk6xqSO8YpJxFRJHlbYG17fNpsOWqNYL0QdnKva6otPm/uje\n"
    "WWAEZ7gupbwuafOvJLcdeplX7kh01eWMxx5jcD4CoMwBzCUJuss0rNAdjkyoe2iq\n"
    "SSpYvyzRJ6wA7fwS4uAig0P761ZdOjdOUnVRMhB2JJ8Ug3ih2oiwreA+MdZRWRTR\n"
    "UYMHzMNv4B0/jL97BPwlMlT/g3BXYwmo/jvnpqsf0mnH/leSxgfNdna34+muS5Y9\n"
    "RZm1U5zCtK0SsMpQGAoyY8yqjDL3EwVtF58nqwIBAQIBAQKBgQDnA7bMuiWF4x5e\n"
    "HARVoYTolhCQ8evjpJ4vYHaA1gWeGMY7ueGXaCMIqvguEPJo5GVp2qATBbqjXr7P\n"
    "zAMg0KJYLkpShfwWMddo1GB/D+zlUDD3tw1y/5TeeIXzW4AVToC8QE2bb097fokH\n"
    "7yCc1npBghCIDSLThZ7QFRd1TLfoWwKBgQDQ+1s65luQGtxBWIFgZxSvfqoIM2q5\n"
    "ijcRGgfpF4SrvsSXCviTwbHan4mx+yK7mk1dYw/HiUlR70TCdGlUVwnwH/gi9pf1\n"
    "zT4+DNjhExUH2z6+ScXsC/VmDzgm+8TmWwG4xn8Ktprp1jK1FjJTvHZLa9NFYxtz\n"
    "oREW67nqDURe8QIBAQIBAQKBgQDSuDZ/7ZVGzqkC2zauwNgHo1PKoF7iRmLlzcsH\n"
    "I5pVh2A8fE0GI4ZvobBzAl92aX5XY9SCGyuhQIUDOSJaE59j7YHKKqLY+lUrd2Ez\n"
    "DDSYf4CXK5jffbCj69UxyVdMbvsK4TSuwuLXAslwG1o7tdi520WK72ZZ8ogiDSll\n"
    "UwlZgw==\n"
    "-----END RSA PRIVATE KEY-----\n";

std::string reason(std::string_view text) {
  const auto key = SigningKey::parse(text);
  return key ? "" : key.error();
}

std::string record_key(std::string_view text) {
  const auto key = SigningKey::parse(text);
  return key ? (*key)->public_record_key() : key.error();
}

std::string block(const std::string& label, const std::string& body) {
  return "-----BEGIN " + label + "-----\n" + body + "\n-----END " + label + "-----\n";
}

std::string pem(Type type) {
  return std::string(SigningKey::generate(type).reveal());
}

// The key of the seed in PKCS#8: 48 octets (RFC 8410 10.3).
const std::string pkcs8 =
    block("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g");

TEST(SigningKey, Ed25519InEitherForm) {
  EXPECT_EQ(record_key(seed), of_seed);
  EXPECT_EQ(record_key(std::string(seed) + "\r\n"), of_seed);
  EXPECT_EQ(record_key(pkcs8), of_seed);
}

TEST(SigningKey, TextBeforeTheBlockAndCrLfDoNoHarm) {
  std::string text = "This is for s1._domainkey: the key\n of 2026\n" + pkcs8;
  EXPECT_EQ(record_key(text), of_seed);
  for (std::size_t at = 0; (at = text.find('\n', at)) != text.npos; at += 2) text.insert(at, "\r");
  EXPECT_EQ(record_key(text), of_seed);
}

TEST(SigningKey, WhatIsMadeIsRead) {
  for (const Type type : {Type::rsa, Type::ed25519}) {
    const std::string text = pem(type);
    EXPECT_THAT(text, StartsWith("-----BEGIN PRIVATE KEY-----\n"));
    const auto key = SigningKey::parse(text);
    ASSERT_TRUE(key) << key.error();
    EXPECT_EQ((*key)->type(), type);
    EXPECT_EQ((*key)->public_record_key().size(), type == Type::rsa ? 392u : 44u);
    EXPECT_NE(text, pem(type)) << "each is another one";
  }
}

TEST(SigningKey, RsaInPkcs1) {
  const std::string text = pem(Type::rsa);
  // Within PKCS#8 it stands behind 26 octets: 24 of them are 32 digits, and the other two begin the next
  // group.
  std::string digits = text.substr(text.find('\n') + 1);
  digits.resize(digits.find('-'));
  std::erase(digits, '\n');
  const std::string octets = [&digits] {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0, count = 0;
    for (const char c : digits) {
      if (c == '=') break;
      bits = bits << 6 | static_cast<unsigned>(alphabet.find(c));
      count += 6;
      if (count < 8) continue;
      count -= 8;
      out += static_cast<char>(bits >> count);
    }
    return out;
  }();
  EXPECT_EQ(record_key(block("RSA PRIVATE KEY", base64::encode(octets.substr(26)))), record_key(text));
}

TEST(SigningKey, TheSameDigestHasTheSameSignature) {
  const Digest digest = Sha256().finish();
  const auto rsa = SigningKey::parse(pem(Type::rsa));
  EXPECT_EQ((*rsa)->sign(digest).size(), 256u);
  EXPECT_EQ((*rsa)->sign(digest), (*rsa)->sign(digest));
  const auto ed25519 = SigningKey::parse(seed);
  EXPECT_EQ((*ed25519)->sign(digest).size(), 64u);
  EXPECT_EQ((*ed25519)->sign(digest), (*ed25519)->sign(digest));
  Sha256 other;
  other.update("x");
  const Digest another = other.finish();
  EXPECT_NE((*rsa)->sign(digest), (*rsa)->sign(another));
  EXPECT_NE((*ed25519)->sign(digest), (*ed25519)->sign(another));
}

TEST(SigningKey, EachRefusalHasItsReason) {
  const std::pair<std::string, std::string> refused[] = {
      {"", "no private key in PEM"},
      {"hello", "no private key in PEM"},
      {"c2hvcnQ=", "no private key in PEM"},
      {block("ENCRYPTED PRIVATE KEY", "AAAA"), "openssl pkey -in FILE"},
      {block("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA"), "encrypted"},
      {block("OPENSSH PRIVATE KEY", "AAAA"), "key of OpenSSH"},
      {block("EC PRIVATE KEY", "AAAA"), "EC key"},
      {elliptic, "RSA and Ed25519 alone"},
      {block("PUBLIC KEY", "AAAA"), "public key"},
      {block("RSA PUBLIC KEY", "AAAA"), "public key"},
      {block("CERTIFICATE", "AAAA"), "certificate"},
      {block("DSA PRIVATE KEY", "AAAA"), "no private key of RSA or Ed25519"},
      {short_rsa, "1024 bits is too short"},
      {pkcs8 + pkcs8, "more than one"},
      {pkcs8.substr(0, pkcs8.size() - 10), "truncated"},
      {"-----BEGIN PRIVATE KEY", "truncated"},
      {block("PRIVATE KEY", "AAA*"), "no base64"},
      {block("PRIVATE KEY", ""), "damaged"},
      {block("PRIVATE KEY", "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9gAAAA"),
       "damaged"},
      {exponent_of_one, "damaged"},
  };
  std::set<std::string> reasons;
  for (const auto& [text, part] : refused) {
    EXPECT_THAT(reason(text), HasSubstr(part)) << text;
    EXPECT_THAT(reason(text), Not(HasSubstr("\n")));
    reasons.insert(reason(text));
  }
  EXPECT_GE(reasons.size(), 12u);
}

TEST(SigningKey, ATruncatedKeyIsRefusedWhereverItEnds) {
  const std::string text = pem(Type::rsa);
  for (std::size_t end = 0; end + 1 < text.size(); ++end)
    ASSERT_NE(reason(std::string_view(text).substr(0, end)), "") << end;
}

}  // namespace
}  // namespace relayd::crypto
