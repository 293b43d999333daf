// Copies: who else gets a message, by its sender and by its recipients (Postfix: sender_bcc_maps,
// recipient_bcc_maps).
//
// Asked when a message is taken, with its recipients as aliases have made them. The header does not name
// them. Pure; made once for a configuration.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/rule_matcher.hpp"
#include "shared/table/table.hpp"

namespace relayd::rewrite {

struct Copy {
  std::string address;
  const config::Bcc* rule = nullptr;
  std::string key;  // of the rule's table
};

// The addresses that a value of a table names, or why it cannot be used.
Result<std::vector<std::string>> parse_copies(std::string_view value);

class Copies {
 public:
  Copies() = default;
  // A table that a rule names and that is not there has no keys.
  explicit Copies(std::vector<config::Bcc> rules, std::shared_ptr<const table::Tables> tables = nullptr);

  bool empty() const { return rules_.empty(); }

  // The addresses that the most specific rule for the sender gives, then those of each recipient's, each
  // once, also where it is a recipient already. A report (null sender) is copied to nobody. An error, which
  // quotes the value: a table has one that cannot be used.
  Result<std::vector<Copy>> of(std::string_view sender, const std::vector<mail::Recipient>& recipients) const;

 private:
  std::vector<config::Bcc> rules_;
  std::shared_ptr<const table::Tables> tables_;
  mail::RuleMatcher senders_;
  mail::RuleMatcher recipients_;
};

}  // namespace relayd::rewrite
