#include "rewrite/copies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "rewrite/aliases_file.hpp"
#include "shared/mail/address.hpp"

namespace relayd::rewrite {

Result<std::vector<std::string>> parse_copies(std::string_view value) {
  Result<std::vector<std::string>> targets = parse_targets(value);
  if (!targets) return targets;
  for (const std::string& target : *targets) {
    const bool sound = mail::check_address(target, true) == mail::AddressFault::none;
    if (!sound || mail::split(target).domain.empty())
      return Error{fmt::format("'{}' is no address with its domain", target)};
  }
  return targets;
}

Copies::Copies(std::vector<config::Bcc> rules, std::shared_ptr<const table::Tables> tables)
    : rules_(std::move(rules)), tables_(std::move(tables)) {
  for (std::size_t i = 0; i < rules_.size(); ++i)
    (rules_[i].of_recipient ? recipients_ : senders_).add_rule(rules_[i], i);
}

Result<std::vector<Copy>> Copies::of(std::string_view sender,
                                     const std::vector<mail::Recipient>& recipients) const {
  std::vector<Copy> copies;
  if (empty() || sender.empty()) return copies;
  std::unordered_set<std::string> seen;
  std::string fault;
  const auto ask = [this](std::size_t rule, std::string_view key) {
    return tables_ ? tables_->find(rules_[rule].table, key) : std::nullopt;
  };
  const auto add = [&](const mail::RuleMatcher& matcher, std::string_view address) {
    const std::optional<mail::RuleMatcher::Found> found = matcher.find(address, ask);
    if (!found) return;
    const config::Bcc& rule = rules_[found->rule];
    Result<std::vector<std::string>> targets = found->value ? parse_copies(*found->value) : rule.to;
    if (!targets) fault = fmt::format("table '{}', '{}': {}", rule.table, found->key, targets.error());
    if (!targets) return;
    for (std::string& target : *targets)
      if (seen.insert(target).second) copies.push_back({std::move(target), &rule, found->key});
  };
  add(senders_, sender);
  for (const mail::Recipient& recipient : recipients) add(recipients_, recipient.address);
  if (!fault.empty()) return Error{std::move(fault)};
  return copies;
}

}  // namespace relayd::rewrite
