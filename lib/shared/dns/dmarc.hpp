// DMARC (RFC 9989, which replaces RFC 7489): the policy of an author's domain, and whether mail passes it.
//
// Pure: answers in. The organisational domain is found as RFC 9989 4.10 does, by the records of the parents,
// and not by a list of public suffixes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/dns/answer.hpp"
#include "shared/dns/finding.hpp"

namespace relayd::dns {

struct DmarcRecord {
  std::string policy;                      // p=: "none", "quarantine" or "reject"
  std::string subdomain_policy;            // sp=; empty: as p=
  bool strict_dkim = false;                // adkim=s
  bool strict_spf = false;                 // aspf=s
  std::optional<bool> public_suffix = {};  // psd=y, psd=n
};

// Whether a TXT record is one of DMARC: it begins with v=DMARC1.
bool is_dmarc(std::string_view text);

// Of a text that is_dmarc(). An error says what keeps receivers from using it.
Result<DmarcRecord> parse_dmarc(std::string_view text);

// The names at which a policy for the domain may stand: its own first, then those of its parents.
std::vector<std::string> dmarc_names(std::string_view domain);

struct DmarcPolicy {
  std::optional<DmarcRecord> record;  // none: nothing is asked of mail, or it is not known
  std::string domain;                 // whose record it is
  std::string organisational;         // the organisational domain; empty: no record tells
  bool known = true;                  // false: DNS did not tell all
};
DmarcPolicy dmarc_policy(std::string_view domain, const Answers& answers);

// A record to begin with.
std::string dmarc_record(std::string_view domain);

// The record of the domain, or that of the parent that stands in for it; `needed` where there is none.
std::vector<Finding> check_dmarc(const std::string& domain, const Answers& answers);

// Who a message says it is from, beside its From field.
enum class Passes { no, unknown, yes };
struct Identity {
  bool dkim = false;                // the d= of a signature; else the domain of MAIL FROM
  std::string domain;               // in lower case
  Passes passes = Passes::unknown;  // DKIM verifies, SPF passes
};

// Whether a domain counts as that of the author: equal, or for relaxed alignment of the same organisation.
bool aligned(std::string_view author, std::string_view domain, std::string_view organisational, bool strict);

// Whether mail with an author at `author` passes DMARC: one identity that passes and is aligned is enough.
Passes passes_dmarc(std::string_view author, std::span<const Identity> identities, const DmarcPolicy& policy);

}  // namespace relayd::dns
