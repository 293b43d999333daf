#include "relay/access.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

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

Access::Table::Table(const std::vector<config::AccessRule>& rules) {
  for (const config::AccessRule& rule : rules) {
    matcher_.add(rule.match, verdicts_.size());
    verdicts_.push_back(rule.verdict);
  }
}

config::AccessVerdict Access::Table::find(std::string_view address) const {
  const std::optional<std::size_t> rule = matcher_.find(address);
  return rule ? verdicts_[*rule] : config::AccessVerdict::accept;
}

}  // namespace relayd
