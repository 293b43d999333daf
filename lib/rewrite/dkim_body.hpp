// BodyHash: the body hash of a DKIM signature (RFC 6376 3.7), canonicalised as "relaxed" (3.4.4).
//
// Runs while the content is taken: its state is a digest, three flags and a count, no buffer. Pure; linear
// time whatever it is fed. The body is what the next hop gets: CR LF lines, before dots are doubled (5.3). It
// hashes all of it: `l=` does not exist here.
#pragma once

#include <cstdint>
#include <string_view>

#include "shared/crypto/sha256.hpp"

namespace relayd::rewrite {

class BodyHash {
 public:
  // More of the body, which begins behind the empty line that ends the header; cut anywhere.
  void update(std::string_view piece);

  // The digest of the whole body. The object must not be used afterwards but to be assigned to.
  crypto::Digest finish();

 private:
  const char* skip(const char* at, const char* end);
  void write_pending();

  crypto::Sha256 hash_;
  std::uint64_t line_ends_ = 0;   // which count only if more follows
  bool space_ = false;            // white space was there, which counts only within a line
  bool carriage_return_ = false;  // it ends the line if LF follows
  bool written_ = false;          // anything at all
};

}  // namespace relayd::rewrite
