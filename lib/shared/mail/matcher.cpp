#include "shared/mail/matcher.hpp"

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::mail {

bool Matcher::add(std::string_view pattern, std::size_t rule) {
  return rules_.emplace(ascii::lower(pattern), rule).second;
}

std::optional<std::size_t> Matcher::lookup(std::string_view pattern) const {
  const auto found = rules_.find(pattern);
  return found == rules_.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::size_t> Matcher::find(std::string_view address) const {
  if (rules_.empty()) return std::nullopt;
  std::string folded = mail::folded(address);
  if (const auto exact = lookup(folded)) return exact;
  if (folded.find('+') != std::string::npos)
    if (const auto untagged = lookup(mail::without_tag(folded))) return untagged;
  const std::size_t domain = folded.size() - mail::split(folded).domain.size();
  if (domain == folded.size()) return lookup("*");
  const std::string_view whole = folded;
  if (const auto same_domain = lookup(whole.substr(domain - 1))) return same_domain;  // with its '@'
  // Before each parent domain stand at least "@x.": room for its pattern's first three octets.
  for (std::size_t dot = folded.find('.', domain); dot != std::string::npos;
       dot = folded.find('.', dot + 1)) {
    if (dot < 2) continue;
    folded.replace(dot - 2, 3, "@*.");
    if (const auto parent = lookup(whole.substr(dot - 2))) return parent;
  }
  return lookup("*");
}

}  // namespace relayd::mail
