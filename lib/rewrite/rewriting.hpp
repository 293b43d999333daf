// Rewriting: the addresses of a message that become others, in the envelope and in the header (as
// canonical(5) and generic(5) of Postfix do).
//
// Stands between accept and the queue for rules `when: taken`, and between the queue and send, at each
// attempt, for rules `when: sent`. RewriteRules are prepared once for each place of the configuration that
// has some; a Rewriting is made for one message and points to them. Pure. It neither logs nor splits: what it
// left, and why, it tells the caller, and a recipient keeps its place, also where two become the same.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/rule_matcher.hpp"

namespace relayd::rewrite {

enum class When { taken, sent };

// Where an address stands: `in` of a rule.
enum class AddressClass { sender, recipient, from_fields, to_fields };

// The value of a key in a table; nothing: it has none.
using TableLookup = std::function<std::optional<std::string>(std::string_view table, std::string_view key)>;

// Why something stays although a rule is about it.
enum class Left {
  invalid,     // what it would become is no address
  too_long,    // it would have more than 254 octets (RFC 5321 4.5.3.1.3, without <>)
  needs_utf8,  // it would need SMTPUTF8, which the message does not have
  line,        // the field would have a line of more than 998 octets (RFC 5322 2.1.1)
};
// In words: "what it would become is no address".
std::string_view text_of(Left why);

struct Note {
  config::Location rule;
  Left why = Left::invalid;
  std::string address;  // the first that stays
};
// One for each rule and reason, 16 at most.
using Notes = std::vector<Note>;
void note(Notes& notes, const config::RewriteRule& rule, Left why, std::string_view address);

// The rules of one scope (a rule of `senders`, an upstream, or all of the configuration) and one `when`.
class RewriteRules {
 public:
  RewriteRules() = default;
  // Takes those of this `when`. Of two with the same pattern, class and `when` the first counts.
  RewriteRules(const std::vector<config::RewriteRule>& rules, When when);

  bool empty() const { return rules_.empty(); }
  // Whether a rule is about such addresses at all.
  bool concern(AddressClass where) const;

  struct Found {
    const config::RewriteRule* rule = nullptr;
    std::string becomes;  // not checked
  };
  // What an address becomes by the most specific rule that is about it, in the order of mail::RuleMatcher. An
  // extension that the key did not have goes to the result when a message is taken, and not when it is sent
  // (propagate_unmatched_extensions of Postfix).
  std::optional<Found> find(AddressClass where, std::string_view address, const TableLookup& lookup) const;

 private:
  When when_ = When::sent;
  std::vector<config::RewriteRule> rules_;
  // Of each class: different rules may have one pattern for different classes.
  std::array<mail::RuleMatcher, 4> classes_;
};

// What becomes of one message.
struct Rewritten {
  struct Recipient {
    std::size_t index = 0;  // in the envelope
    std::string address;
  };
  std::optional<std::string> sender;
  std::vector<Recipient> recipients;  // those that change, in order
  std::optional<std::string> header;  // the whole block
  Notes notes;

  bool changed() const { return sender || !recipients.empty() || header; }
};

class Rewriting {
 public:
  // `scopes` from the most specific to the widest: rule of senders, upstream, general; a null one has no
  // rules. The first scope with a rule for an address decides. They and `lookup` must outlive this.
  // `smtp_utf8`: of the message (RFC 6531).
  Rewriting(std::initializer_list<const RewriteRules*> scopes, const TableLookup& lookup, bool smtp_utf8);

  // Nothing can change: the message needs no second look, and costs no allocation.
  bool empty() const;
  bool concern(AddressClass where) const;

  // What the address becomes; nothing: it stays. It is mapped once, and what comes of it is looked up no
  // more. The null sender stays (RFC 5321 4.5.5). What an address must not become is left and noted.
  std::optional<std::string> sender(std::string_view address, Notes& notes) const;
  std::optional<std::string> recipient(std::string_view address, Notes& notes) const;

  struct Mapped {
    std::string address;
    const config::RewriteRule* rule = nullptr;
  };
  // The same for any class, with the rule.
  std::optional<Mapped> map(AddressClass where, std::string_view address, Notes& notes) const;

  // The header with other addresses (see header_addresses.hpp); nothing: it stays.
  std::optional<std::string> header(std::string_view block, Notes& notes) const;

  // All of it. ORCPT stays (RFC 3461 5.2.1), and so does everything else of the envelope.
  Rewritten message(const mail::Envelope& envelope, std::string_view header) const;

 private:
  std::array<const RewriteRules*, 3> scopes_{};
  const TableLookup* lookup_;
  bool smtp_utf8_;
};

// Puts the addresses into the envelope. routing_sender follows the sender; of a null sender it stays: the
// caller reads it from the header again.
void apply(const Rewritten& rewritten, mail::Envelope& envelope);

}  // namespace relayd::rewrite
