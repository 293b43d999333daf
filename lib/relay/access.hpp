// Access: what the configuration says about senders and recipients, whatever the route.
//
// Joins accept, which asks at MAIL and RCPT, and route's matcher. Made with the Setup; immutable.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/matcher.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd {

class Access {
 public:
  explicit Access(const config::Access& rules) : senders_(rules.senders), recipients_(rules.recipients) {}

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
  config::AccessVerdict sender(std::string_view address) const { return senders_.find(address); }
  config::AccessVerdict recipient(std::string_view address) const { return recipients_.find(address); }

 private:
  class Table {
   public:
    explicit Table(const std::vector<config::AccessRule>& rules);
    config::AccessVerdict find(std::string_view address) const;

   private:
    mail::Matcher matcher_;
    std::vector<config::AccessVerdict> verdicts_;
  };

  Table senders_;
  Table recipients_;
};

}  // namespace relayd
