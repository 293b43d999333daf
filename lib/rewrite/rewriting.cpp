#include "rewrite/rewriting.hpp"

#include <algorithm>

#include "rewrite/header_addresses.hpp"
#include "shared/mail/address.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t max_notes = 16;

std::size_t index_of(AddressClass where) {
  return static_cast<std::size_t>(where);
}

bool is_in(const config::RewriteRule& rule, AddressClass where) {
  switch (where) {
    case AddressClass::sender:
      return rule.sender;
    case AddressClass::recipient:
      return rule.recipient;
    case AddressClass::from_fields:
      return rule.from_fields;
    case AddressClass::to_fields:
      return rule.to_fields;
  }
  return false;
}

std::optional<Left> fault_of(std::string_view address, bool smtp_utf8) {
  if (address.size() > mail::longest_address) return Left::too_long;
  const mail::AddressFault fault = mail::check_address(address, smtp_utf8);
  if (fault == mail::AddressFault::needs_utf8) return Left::needs_utf8;
  if (fault == mail::AddressFault::too_long) return Left::too_long;
  if (fault != mail::AddressFault::none || mail::split(address).domain.empty()) return Left::invalid;
  return std::nullopt;
}

}  // namespace

std::string_view text_of(Left why) {
  switch (why) {
    case Left::invalid:
      return "what it would become is no address";
    case Left::too_long:
      return "what it would become is longer than 254 octets";
    case Left::needs_utf8:
      return "what it would become needs SMTPUTF8";
    case Left::line:
      return "the field would have a line of more than 998 octets";
  }
  return {};
}

void note(Notes& notes, const config::RewriteRule& rule, Left why, std::string_view address) {
  const auto same = [&](const Note& other) {
    return other.why == why && other.rule.line == rule.where.line && other.rule.column == rule.where.column;
  };
  if (notes.size() < max_notes && std::ranges::none_of(notes, same))
    notes.push_back({rule.where, why, std::string(address)});
}

// --- the rules of one scope -------------------------------------------------------------------------------

RewriteRules::RewriteRules(const std::vector<config::RewriteRule>& rules, When when) : when_(when) {
  for (const config::RewriteRule& rule : rules) {
    if (rule.taken != (when == When::taken)) continue;
    for (std::size_t i = 0; i < classes_.size(); ++i)
      if (is_in(rule, static_cast<AddressClass>(i))) classes_[i].add_rule(rule, rules_.size());
    rules_.push_back(rule);
  }
}

bool RewriteRules::concern(AddressClass where) const {
  return !classes_[index_of(where)].empty();
}

std::optional<RewriteRules::Found> RewriteRules::find(AddressClass where, std::string_view address,
                                                      const TableLookup& lookup) const {
  const auto ask = [&](std::size_t rule, std::string_view key) {
    return lookup ? lookup(rules_[rule].table, key) : std::nullopt;
  };
  const std::optional<mail::RuleMatcher::Found> found = classes_[index_of(where)].find(address, ask);
  if (!found) return std::nullopt;
  const config::RewriteRule& rule = rules_[found->rule];
  Found result{&rule, found->value ? *found->value : rule.to};
  const std::string_view local_part = mail::split(result.becomes).local_part;
  if (result.becomes.starts_with('@'))
    result.becomes.insert(0, mail::split(address).local_part);
  else if (when_ == When::taken && !local_part.starts_with('"'))
    result.becomes.insert(local_part.size(), found->tag);
  return result;
}

// --- one message ------------------------------------------------------------------------------------------

Rewriting::Rewriting(std::initializer_list<const RewriteRules*> scopes, const TableLookup& lookup,
                     bool smtp_utf8)
    : lookup_(&lookup), smtp_utf8_(smtp_utf8) {
  std::copy_n(scopes.begin(), std::min(scopes.size(), scopes_.size()), scopes_.begin());
}

bool Rewriting::empty() const {
  return std::ranges::all_of(scopes_, [](const RewriteRules* rules) { return !rules || rules->empty(); });
}

bool Rewriting::concern(AddressClass where) const {
  return std::ranges::any_of(scopes_,
                             [where](const RewriteRules* rules) { return rules && rules->concern(where); });
}

std::optional<Rewriting::Mapped> Rewriting::map(AddressClass where, std::string_view address,
                                                Notes& notes) const {
  if (address.empty()) return std::nullopt;
  for (const RewriteRules* rules : scopes_) {
    if (!rules || !rules->concern(where)) continue;
    std::optional<RewriteRules::Found> found = rules->find(where, address, *lookup_);
    if (!found) continue;
    if (found->becomes == address) return std::nullopt;
    if (const auto why = fault_of(found->becomes, smtp_utf8_)) {
      note(notes, *found->rule, *why, address);
      return std::nullopt;
    }
    return Mapped{std::move(found->becomes), found->rule};
  }
  return std::nullopt;
}

std::optional<std::string> Rewriting::sender(std::string_view address, Notes& notes) const {
  std::optional<Mapped> mapped = map(AddressClass::sender, address, notes);
  return mapped ? std::optional(std::move(mapped->address)) : std::nullopt;
}

std::optional<std::string> Rewriting::recipient(std::string_view address, Notes& notes) const {
  std::optional<Mapped> mapped = map(AddressClass::recipient, address, notes);
  return mapped ? std::optional(std::move(mapped->address)) : std::nullopt;
}

std::optional<std::string> Rewriting::header(std::string_view block, Notes& notes) const {
  if (!concern(AddressClass::from_fields) && !concern(AddressClass::to_fields)) return std::nullopt;
  return with_addresses(block, *this, notes);
}

Rewritten Rewriting::message(const mail::Envelope& envelope, std::string_view header_block) const {
  Rewritten result;
  if (empty()) return result;
  result.sender = sender(envelope.sender, result.notes);
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i)
    if (auto address = recipient(envelope.recipients[i].address, result.notes))
      result.recipients.push_back({i, std::move(*address)});
  result.header = header(header_block, result.notes);
  return result;
}

void apply(const Rewritten& rewritten, mail::Envelope& envelope) {
  if (rewritten.sender) envelope.sender = envelope.routing_sender = *rewritten.sender;
  for (const Rewritten::Recipient& recipient : rewritten.recipients)
    envelope.recipients[recipient.index].address = recipient.address;
}

}  // namespace relayd::rewrite
