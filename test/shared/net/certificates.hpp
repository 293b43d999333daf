// Certificates as they should not be (and some as they should), for tests of what a client refuses.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <vector>

#include "shared/base/time.hpp"

namespace relayd::test {

struct CertificateShape {
  std::string common_name = "mail.example";
  std::vector<std::string> dns_names = {"mail.example"};
  std::string address = {};  // an IP literal
  std::string usage = "serverAuth";
  bool authority = false;
  int rsa_bits = 0;  // 0: the key is on P-256
  const EVP_MD* digest = EVP_sha256();
  WallTime from = wall_now() - std::chrono::hours(1);
  WallTime until = wall_now() + std::chrono::hours(1);
};

class Certificate {
 public:
  // Signed by `issuer`, or by itself.
  explicit Certificate(const CertificateShape& shape, const Certificate* issuer = nullptr);

  std::string pem() const;
  std::string key_pem() const;
  std::string pin() const;  // 32 octets

 private:
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  std::unique_ptr<X509, decltype(&X509_free)> certificate_;
};

}  // namespace relayd::test
