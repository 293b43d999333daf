// SPF records (RFC 7208): their terms, what a domain's record comes to with all that it includes, and which
// senders it lets through.
//
// Pure: answers in. Says nothing of single addresses: `a`, `mx` and `exists` are counted and not asked for.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/dns/answer.hpp"
#include "shared/dns/finding.hpp"

namespace relayd::dns {

struct SpfTerm {
  std::string name;   // in lower case
  std::string value;  // behind ':' or '=', or from '/' on
  char qualifier = '+';
  bool modifier = false;  // name=value
};

// Whether a TXT record is one of SPF (RFC 7208 4.5).
bool is_spf(std::string_view text);

// Whether a TXT record was meant to be one of SPF and is none, such as with a tab behind its version.
bool resembles_spf(std::string_view text);

// Of a text that is_spf(). An error names the term that makes the whole record useless (RFC 7208 4.6).
Result<std::vector<SpfTerm>> parse_spf(std::string_view text);

struct SpfWalk {
  std::string text;  // the domain's own record; empty: there is none that can be read
  int lookups = 0;   // in the worst case (RFC 7208 4.6.4); not followed further than four times ten
  std::set<std::string> passing;    // the domains whose servers pass: included, or redirected to
  std::set<std::string> late;       // included, but a term before has its say about them first
  std::set<std::string> nobody;     // included, but their records let no server pass
  std::vector<std::string> faults;  // what makes it useless: a permanent error (RFC 7208 2.6.7), or "+all"
  std::vector<std::string> notes;
  std::vector<std::string> unknown;  // names for which there was no answer, each with why
  std::vector<std::string> open;     // names that `answers` does not have
};

// `domain` in lower case.
SpfWalk walk_spf(const std::string& domain, const Answers& answers);

// The record with these includes added where they count; a new one for an empty text.
std::string spf_with(std::string_view text, std::span<const std::string> includes);

// `includes`: the domains whose servers send for it.
std::vector<Finding> check_spf(const std::string& domain, std::span<const std::string> includes,
                               const SpfWalk& walk);

}  // namespace relayd::dns
