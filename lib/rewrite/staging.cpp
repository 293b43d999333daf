#include "rewrite/staging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::rewrite {

namespace {
constexpr std::size_t most_fields = 100;
}  // namespace

Staging::Staging(const config::Staging& settings)
    : redirect_(settings.redirect), subject_prefix_(settings.subject_prefix), patterns_(settings.allow) {
  for (std::size_t i = 0; i < patterns_.size(); ++i) allowed_.add(patterns_[i], i);
}

mail::Recipient Staging::stand_in() const {
  mail::Recipient recipient;
  recipient.address = redirect_;
  recipient.notify = "NEVER";
  return recipient;
}

bool Staging::allows(std::string_view recipient) const {
  if (!on()) return true;
  const std::optional<std::size_t> pattern = allowed_.find(recipient);
  const bool may_hide_another =
      mail::split(recipient).local_part.find_first_of("%!@,;:<>") != std::string::npos;
  return pattern && (!may_hide_another || patterns_[*pattern] == mail::lookup_key(recipient));
}

std::vector<mail::Recipient> Staging::replace(std::vector<mail::Recipient>& recipients) const {
  std::vector<mail::Recipient> replaced;
  if (!on()) return replaced;
  std::vector<mail::Recipient> left;
  for (mail::Recipient& recipient : recipients) {
    if (recipient.address != redirect_ && allows(recipient.address))
      left.push_back(std::move(recipient));
    else
      replaced.push_back(std::move(recipient));
  }
  if (!replaced.empty()) left.push_back(stand_in());
  recipients = std::move(left);
  return replaced;
}

std::string original_to_fields(const std::vector<mail::Recipient>& recipients) {
  std::string fields;
  const std::size_t named = std::min(recipients.size(), most_fields);
  for (std::size_t i = 0; i < named; ++i)
    fmt::format_to(std::back_inserter(fields), "X-Original-To: {}\r\n", recipients[i].address);
  if (recipients.size() > named)
    fmt::format_to(std::back_inserter(fields), "X-Original-To: and {} more\r\n", recipients.size() - named);
  return fields;
}

}  // namespace relayd::rewrite
