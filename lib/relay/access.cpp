#include "relay/access.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "shared/config/value.hpp"

namespace relayd {

Access::Fate Access::decide(mail::Envelope& envelope) const {
  using enum config::AccessVerdict;
  const config::AccessVerdict of_sender = sender(envelope.sender);
  Fate fate;
  fate.hold = of_sender == hold;
  std::vector<mail::Recipient> kept;
  for (mail::Recipient& recipient : envelope.recipients) {
    const config::AccessVerdict verdict = this->recipient(recipient.address);
    const bool gone = of_sender == discard || verdict == discard;
    fate.hold |= !gone && verdict == hold;
    (gone ? fate.discarded : kept).push_back(std::move(recipient));
  }
  envelope.recipients = std::move(kept);
  return fate;
}

void Access::decide_by_author(mail::Envelope& envelope, std::string_view author, Fate& fate) const {
  const config::AccessVerdict verdict = sender(author);
  fate.hold |= verdict == config::AccessVerdict::hold;
  if (verdict != config::AccessVerdict::discard) return;
  std::move(envelope.recipients.begin(), envelope.recipients.end(), std::back_inserter(fate.discarded));
  envelope.recipients.clear();
}

std::optional<smtp::Reply> Access::refuse_sender(std::string_view address) const {
  if (sender(address) != config::AccessVerdict::reject) return std::nullopt;
  return smtp::Reply{550, {5, 7, 1}, fmt::format("Mail from <{}> is not taken", address)};
}

std::optional<smtp::Reply> Access::refuse_recipient(std::string_view address) const {
  if (recipient(address) != config::AccessVerdict::reject) return std::nullopt;
  return smtp::Reply{550, {5, 7, 1}, fmt::format("Mail to <{}> is not taken", address)};
}

Access::Rules::Rules(const std::vector<config::AccessRule>& rules,
                     std::shared_ptr<const table::Tables> tables)
    : rules_(rules), tables_(std::move(tables)) {
  for (std::size_t i = 0; i < rules_.size(); ++i) matcher_.add_rule(rules_[i], i);
}

Access::Found Access::Rules::find(std::string_view address) const {
  const auto ask = [this](std::size_t rule, std::string_view key) {
    return tables_ ? tables_->find(rules_[rule].table, key) : std::nullopt;
  };
  std::optional<mail::RuleMatcher::Found> found = matcher_.find(address, ask);
  if (!found) return {};
  const config::AccessRule& rule = rules_[found->rule];
  if (!found->value) return {rule.verdict, &rule, {}};
  // Each value was read when the configuration was loaded.
  const Result<config::AccessVerdict> verdict = config::parse_verdict(*found->value);
  return {verdict ? *verdict : config::AccessVerdict::hold, &rule, std::move(found->key)};
}

}  // namespace relayd
