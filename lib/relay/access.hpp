// Access: what the configuration says about senders and recipients, whatever the route.
//
// Joins accept, which asks at MAIL and RCPT, patterns and tables. Made with the Setup; immutable.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/rule_matcher.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/table/table.hpp"

namespace relayd {

class Access {
 public:
  // A table that a rule names and that is not there has no keys.
  explicit Access(const config::Access& rules, std::shared_ptr<const table::Tables> tables = nullptr)
      : senders_(rules.senders, tables), recipients_(rules.recipients, tables) {}

  // What is to become of a message that was not rejected.
  struct Fate {
    bool hold = false;
    std::vector<mail::Recipient> discarded;  // they do not get it; taken out of the envelope
  };
  Fate decide(mail::Envelope& envelope) const;
  // The same for an address of From, where that routes the message.
  void decide_by_author(mail::Envelope& envelope, std::string_view author, Fate& fate) const;

  // The refusal of one that is rejected.
  std::optional<smtp::Reply> refuse_sender(std::string_view address) const;
  std::optional<smtp::Reply> refuse_recipient(std::string_view address) const;

  // The verdict of the most specific pattern; without one: accept. The null sender falls under "*".
  config::AccessVerdict sender(std::string_view address) const { return senders_.find(address).verdict; }
  config::AccessVerdict recipient(std::string_view address) const {
    return recipients_.find(address).verdict;
  }

  // The same with the rule, and the key that its table has. Null: there is none.
  struct Found {
    config::AccessVerdict verdict = config::AccessVerdict::accept;
    const config::AccessRule* rule = nullptr;
    std::string key = {};
  };
  Found rule_of_sender(std::string_view address) const { return senders_.find(address); }
  Found rule_of_recipient(std::string_view address) const { return recipients_.find(address); }

 private:
  class Rules {
   public:
    Rules(const std::vector<config::AccessRule>& rules, std::shared_ptr<const table::Tables> tables);
    Found find(std::string_view address) const;

   private:
    std::vector<config::AccessRule> rules_;
    std::shared_ptr<const table::Tables> tables_;
    mail::RuleMatcher matcher_;
  };

  Rules senders_;
  Rules recipients_;
};

}  // namespace relayd
