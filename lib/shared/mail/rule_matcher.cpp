#include "shared/mail/rule_matcher.hpp"

#include <array>
#include <utility>

#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::mail {

bool RuleMatcher::add(std::string_view pattern, std::size_t rule) {
  return patterns_.add(pattern, rule);
}

std::optional<RuleMatcher::Found> RuleMatcher::ask_tables(const std::string& key, const Ask& ask) const {
  for (const std::size_t rule : tables_)
    if (std::optional<std::string> value = ask(rule, key)) return Found{rule, std::move(value), key, {}};
  return std::nullopt;
}

std::optional<RuleMatcher::Found> RuleMatcher::find(std::string_view address, const Ask& ask) const {
  using Width = Matcher::Width;
  const std::optional<Matcher::Match> pattern = patterns_.match(address);
  if (tables_.empty() && !pattern) return std::nullopt;
  if (tables_.empty() && pattern->width != Width::without_tag) return Found{pattern->rule, {}, {}, {}};

  const std::string whole = lookup_spelling(address);
  const std::string untagged = mail::without_tag(whole);
  const std::string tag = whole.substr(split(untagged).local_part.size(), whole.size() - untagged.size());
  const std::string_view domain_name = split(whole).domain;
  const std::string of_domain = domain_name.empty() ? std::string() : "@" + std::string(domain_name);
  const std::array<std::pair<Width, const std::string*>, 3> keys{
      {{Width::address, &whole}, {Width::without_tag, &untagged}, {Width::domain, &of_domain}}};
  for (const auto& [width, key] : keys) {
    if (pattern && pattern->width == width) break;
    if (key->empty() || (width == Width::without_tag && tag.empty())) continue;
    std::optional<Found> found = ask_tables(*key, ask);
    if (!found) continue;
    if (width == Width::without_tag) found->tag = tag;
    return found;
  }
  if (!pattern) return std::nullopt;
  return Found{pattern->rule, {}, {}, pattern->width == Width::without_tag ? tag : std::string()};
}

}  // namespace relayd::mail
