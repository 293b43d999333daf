#include "rewrite/header_rules.hpp"

#include <algorithm>
#include <utility>

#include "rewrite/header_edit.hpp"
#include "rewrite/received.hpp"
#include "rewrite/subject_prefix.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/encoded_words.hpp"

namespace relayd::rewrite {

MergedHeaderRules::MergedHeaderRules(std::initializer_list<const config::HeaderRules*> scopes) {
  std::optional<config::ReceivedForm> received;
  for (const config::HeaderRules* const scope : scopes) {
    if (!scope) continue;
    add(*scope);
    if (prefix_.empty()) prefix_ = ascii::trimmed(scope->subject_prefix, ascii::blanks);
    if (!received) received = scope->received;
  }
  masked_ = received == config::ReceivedForm::masked;
}

void MergedHeaderRules::add(const config::HeaderRules& scope) {
  const auto removes = [&scope](std::string_view name) {
    return std::ranges::any_of(
        scope.remove, [name](std::string_view pattern) { return mail::field_name_fits(name, pattern); });
  };
  for (const config::HeaderField& field : scope.set)
    if (find(field.name) == rules_.end()) rules_.push_back({field.name, Kind::set, field.value});
  for (const config::HeaderField& field : scope.set_missing)
    if (find(field.name) == rules_.end())
      rules_.push_back({field.name, removes(field.name) ? Kind::renew : Kind::keep, field.value});
  for (const std::string_view name : scope.remove) rules_.push_back({name});
}

MergedHeaderRules::Rules::const_iterator MergedHeaderRules::find(std::string_view name) const {
  return std::ranges::find_if(rules_, [name](const Rule& rule) {
    return rule.kind == Kind::remove ? mail::field_name_fits(name, rule.name)
                                     : ascii::equal_ignoring_case(name, rule.name);
  });
}

std::optional<std::string> MergedHeaderRules::apply(std::string_view header, const HeaderTerms& terms) const {
  if (empty()) return std::nullopt;
  std::optional<std::string> ruled = without_prefix(header, terms);
  if (prefix_.empty()) return ruled;
  std::optional<std::string> prefixed =
      with_subject_prefix(ruled ? std::string_view(*ruled) : header, prefix_, terms.smtp_utf8);
  return prefixed ? std::move(prefixed) : std::move(ruled);
}

std::optional<std::string> MergedHeaderRules::without_prefix(std::string_view header,
                                                             const HeaderTerms& terms) const {
  HeaderEdit edit(header);
  const auto made = [&terms](const Rule& rule) {
    return mail::unstructured_field(rule.name, rule.value, terms.smtp_utf8);
  };
  std::vector<bool> stands(rules_.size());  // a field of it is in the edited header
  bool masks = masked_;
  for (mail::Field field; edit.next(field);) {
    if (masks && field.is("Received")) {
      masks = false;  // ours is the topmost one
      const std::string masked = masked_received(field.whole, terms.mark);
      if (!masked.empty()) edit.replace(field.whole, masked);
      continue;
    }
    const auto rule = find(field.name);
    if (rule == rules_.end()) continue;
    auto there = stands[static_cast<std::size_t>(rule - rules_.begin())];
    const bool puts_here = rule->kind == Kind::set && !there;
    if (rule->kind != Kind::keep) edit.replace(field.whole, puts_here ? made(*rule) : std::string());
    if (puts_here || rule->kind == Kind::keep) there = true;
  }
  for (std::size_t i = 0; i < rules_.size(); ++i)
    if (rules_[i].kind != Kind::remove && !stands[i]) edit.add(made(rules_[i]));
  return std::move(edit).take();
}

}  // namespace relayd::rewrite
