// Certificate: what a JWT says of an X.509 certificate: its thumbprint, and whether a key is its own.
//
// Stands under relay, which proves with it who asks for a token. A value; pure. It verifies nothing.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/crypto/sha256.hpp"

namespace relayd::crypto {

struct Certificate {
  Digest thumbprint;       // SHA-256 of its DER
  std::string public_key;  // as SigningKey::public_record_key() has it of an RSA key

  // The first of a text in PEM.
  static Result<Certificate> parse(std::string_view pem);
};

}  // namespace relayd::crypto
