#include "shared/mail/matcher.hpp"

#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::mail {

bool Matcher::add(std::string_view pattern, std::size_t rule) {
  return rules_.emplace(lookup_key(pattern), rule).second;
}

std::optional<std::size_t> Matcher::lookup(std::string_view pattern) const {
  const auto found = rules_.find(pattern);
  return found == rules_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> Matcher::find_pattern(std::string_view pattern) const {
  return lookup(lookup_key(pattern));
}

std::optional<std::size_t> Matcher::find(std::string_view address) const {
  const std::optional<Match> found = match(address);
  return found ? std::optional(found->rule) : std::nullopt;
}

std::optional<Matcher::Match> Matcher::match(std::string_view address) const {
  if (rules_.empty()) return std::nullopt;
  const auto of = [](std::optional<std::size_t> rule, Width width) {
    return rule ? std::optional(Match{*rule, width}) : std::nullopt;
  };
  std::string key = lookup_key(address);
  if (const auto exact = of(lookup(key), Width::address)) return exact;
  if (key.find('+') != std::string::npos)
    if (const auto untagged = of(lookup(mail::without_tag(key)), Width::without_tag)) return untagged;
  const std::size_t domain = key.size() - mail::split(key).domain.size();
  if (domain == key.size()) return of(lookup("*"), Width::wider);
  const std::string_view whole = key;
  if (const auto same_domain = of(lookup(whole.substr(domain - 1)), Width::domain))  // with its '@'
    return same_domain;
  // Before each parent domain stand at least "@x.": room for its pattern's first three octets.
  for (std::size_t dot = key.find('.', domain); dot != std::string::npos; dot = key.find('.', dot + 1)) {
    if (dot < 2) continue;
    key.replace(dot - 2, 3, "@*.");
    if (const auto parent = of(lookup(whole.substr(dot - 2)), Width::wider)) return parent;
  }
  return of(lookup("*"), Width::wider);
}

}  // namespace relayd::mail
