// MergedHeaderRules: what `headers` of the configuration, in all its scopes, does to a header, at each
// attempt.
//
// Applied to a header after its addresses are rewritten and the control fields of providers are taken out,
// before it is signed. Pure. Made for an attempt; it keeps views of the configuration, which outlives it.
// Linear time in the header. What is no field (RFC 5322 2.2), and every field that no rule names, stays octet
// by octet, in its place.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"

namespace relayd::rewrite {

// What must be known of a message to change its header.
struct HeaderTerms {
  bool smtp_utf8 = false;      // it leaves with SMTPUTF8: UTF-8 may stand in fields (RFC 6532)
  std::string_view mark = {};  // of this relay (see ReceivedFacts); empty: none
};

class MergedHeaderRules {
 public:
  // The most specific scope first: a rule of `senders`, its upstream, everything. Null: none. Of a name the
  // first scope that speaks of it decides; so do the first prefix and the first form of Received. Within a
  // scope `remove` comes before `set` and `default`, the prefix is last. Allocates nothing for scopes that
  // are empty.
  explicit MergedHeaderRules(std::initializer_list<const config::HeaderRules*> scopes);

  bool empty() const { return rules_.empty() && prefix_.empty() && !masked_; }

  // The header with all that the rules say; nothing when they change nothing. `header`: fields with CR LF, up
  // to and with the empty line, if it is there; what stands behind that is kept. `set` puts its one field
  // where the first of that name was, else at the end, as `default` does. Values that are long are folded
  // (2.2.3), what is not ASCII is encoded (RFC 2047) unless the message has SMTPUTF8.
  std::optional<std::string> apply(std::string_view header, const HeaderTerms& terms) const;

 private:
  // What becomes of the fields of a name: none stays; one with the value stands where the first was; those
  // that are there stay, and the value is for where there is none; or none stays and the value stands at the
  // end.
  enum class Kind { remove, set, keep, renew };
  struct Rule {
    std::string_view name;  // a '*' at its end stands for anything, in `remove`
    Kind kind = Kind::remove;
    std::string_view value = {};
  };
  using Rules = std::vector<Rule>;

  void add(const config::HeaderRules& scope);
  Rules::const_iterator find(std::string_view name) const;
  std::optional<std::string> without_prefix(std::string_view header, const HeaderTerms& terms) const;

  Rules rules_;  // of two that fit a name the first one counts
  std::string_view prefix_;
  bool masked_ = false;
};

}  // namespace relayd::rewrite
