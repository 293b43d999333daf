// The record of a key that signs, as DNS has it (RFC 6376 3.6.1, RFC 8463 4), against the key itself.
//
// Pure. Knows the public half of the key alone.
#pragma once

#include <string>
#include <vector>

#include "shared/dns/answer.hpp"
#include "shared/dns/finding.hpp"

namespace relayd::dns {

struct DkimKey {
  std::string domain;      // d=
  std::string selector;    // s=
  std::string type;        // k=: "rsa" or "ed25519"
  std::string public_key;  // p=: base64
};

// "v=DKIM1; k=rsa; p=…"
std::string dkim_record(const DkimKey& key);

// One that is `well`, or what is wrong, and notes. `answer` is that for dkim_name().
std::vector<Finding> check_dkim(const DkimKey& key, const Answer& answer);

}  // namespace relayd::dns
