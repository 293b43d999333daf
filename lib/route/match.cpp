#include "route/match.hpp"

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::route {

bool Matcher::add(std::string_view pattern, std::size_t rule) {
  return rules_.emplace(ascii::lower(pattern), rule).second;
}

std::optional<std::size_t> Matcher::lookup(std::string_view pattern) const {
  const auto found = rules_.find(pattern);
  return found == rules_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> Matcher::find(std::string_view address) const {
  const std::string folded = mail::folded(address);
  if (const auto exact = lookup(folded)) return exact;
  if (const auto untagged = lookup(mail::without_tag(folded))) return untagged;
  std::string_view domain = mail::split(folded).domain;
  if (const auto same_domain = lookup(std::string("@").append(domain))) return same_domain;
  for (std::size_t dot = domain.find('.'); dot != std::string_view::npos; dot = domain.find('.')) {
    domain.remove_prefix(dot + 1);
    if (const auto parent = lookup(std::string("@*.").append(domain))) return parent;
  }
  return lookup("*");
}

}  // namespace relayd::route
