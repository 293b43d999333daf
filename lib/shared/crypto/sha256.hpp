// Sha256: the digest of FIPS 180-4 over octets that come in pieces.
//
// Stands under rewrite, which hashes headers and bodies with it, and under the signing keys. A value: a copy
// goes on by itself from where the original stood. Pure; it owns its state and allocates nothing. It is no
// MAC and hashes no password.
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

}  // namespace relayd::crypto
