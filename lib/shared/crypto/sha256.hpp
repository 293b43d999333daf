// Sha256: the digest of FIPS 180-4 over octets that come in pieces; hmac_sha256: the MAC of RFC 2104 with it.
//
// Stands under rewrite, which hashes headers and bodies with it, under the signing keys, and under webhooks.
// A value: a copy goes on by itself from where the original stood. Pure; it owns its state and allocates
// nothing. Without a key it is no MAC, and it hashes no password.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace relayd::crypto {

using Digest = std::array<std::uint8_t, 32>;

class Sha256 {
 public:
  Sha256();

  // Any number of calls; where the octets are cut does not matter.
  void update(std::string_view octets);

  // The digest of all octets so far. The object must not be used afterwards but to be assigned to.
  Digest finish();

 private:
  alignas(8) std::array<std::byte, 112> state_;  // the library's
};

// Of a key of any length.
Digest hmac_sha256(std::string_view key, std::string_view octets);

}  // namespace relayd::crypto
