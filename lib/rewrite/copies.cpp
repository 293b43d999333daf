#include "rewrite/copies.hpp"

#include <optional>
#include <unordered_set>

namespace relayd::rewrite {

Copies::Copies(const std::vector<config::Bcc>& rules) {
  for (const config::Bcc& rule : rules) {
    (rule.of_recipient ? recipients_ : senders_).add(rule.match, targets_.size());
    targets_.push_back(rule.to);
  }
}

std::vector<std::string> Copies::of(std::string_view sender,
                                    const std::vector<mail::Recipient>& recipients) const {
  std::vector<std::string> copies;
  if (empty() || sender.empty()) return copies;
  std::unordered_set<std::string_view> seen;
  const auto add = [&](std::optional<std::size_t> rule) {
    if (!rule) return;
    for (const std::string& target : targets_[*rule])
      if (seen.insert(target).second) copies.push_back(target);
  };
  add(senders_.find(sender));
  for (const mail::Recipient& recipient : recipients) add(recipients_.find(recipient.address));
  return copies;
}

}  // namespace relayd::rewrite
