// Copies: who else gets a message, by its sender and by its recipients (Postfix: sender_bcc_maps,
// recipient_bcc_maps).
//
// Asked when a message is taken, with its recipients as aliases have made them. The header does not name
// them. Pure; made once for a configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::rewrite {

class Copies {
 public:
  Copies() = default;
  explicit Copies(const std::vector<config::Bcc>& rules);

  bool empty() const { return targets_.empty(); }

  // The addresses that the most specific rule for the sender gives, then those of each recipient's, each
  // once, also where it is a recipient already. A report (null sender) is copied to nobody.
  std::vector<std::string> of(std::string_view sender, const std::vector<mail::Recipient>& recipients) const;

 private:
  mail::Matcher senders_;
  mail::Matcher recipients_;
  std::vector<std::vector<std::string>> targets_;  // of each rule
};

}  // namespace relayd::rewrite
