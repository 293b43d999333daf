// DKIM signatures (RFC 6376, 8301, 8463): which keys sign a message, and the fields that they put above it.
//
// Stands between the relay, which has the header as the next hop gets it and the hash of its body, and the
// keys. DkimKeys is made once for a configuration and is immutable; it owns its share of the keys. Pure: the
// time is an argument. It verifies nothing, asks no DNS and changes no field that is there. relaxed/relaxed
// always; `l=` and `i=` are never written.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd::rewrite {

struct DkimSigner {
  std::string domain;    // d=: A-labels
  std::string selector;  // s=
  std::shared_ptr<const crypto::SigningKey> key;
  std::optional<std::chrono::seconds> expires_after;  // x= is so long after t=; none: no x=
};

class DkimKeys {
 public:
  DkimKeys() = default;
  explicit DkimKeys(std::vector<DkimSigner> signers);

  bool empty() const { return signers_.empty(); }

  // The keys that sign for a domain, in any case of letters and as U-labels or A-labels: its own, else those
  // of the nearest parent that has any, in the order of the list. Empty: none. No allocation for ASCII.
  std::span<const DkimSigner> of_domain(std::string_view domain) const;

  // The same for the first author of a message, whose From field is in `header`. Empty, too, where there is
  // not exactly one From field, or none of its addresses can be read. No allocation for a plain address.
  std::span<const DkimSigner> of_header(std::string_view header) const;

 private:
  std::vector<DkimSigner> signers_;  // by domain; in the list's order among those of one domain
};

// The fields of all signers, each with its CR LF, to be put above the message; empty for no signer. `header`
// is the block as the next hop gets it, CR LF lines, with or without the empty line that ends it.
// `unsigned_names`: fields that the next hop replaces; From is signed whatever it does. No
// line is longer than 78 octets but for a domain that is.
std::string dkim_fields(std::span<const DkimSigner> signers, std::string_view header,
                        const crypto::Digest& body_hash, WallTime now,
                        std::span<const std::string_view> unsigned_names = {});

}  // namespace relayd::rewrite
