// Staging: all mail goes to one address, but for recipients that `allow` names.
//
// Asked when a message is taken, after copies and aliases, and once more at each attempt, so that mail that
// was queued before staging began goes to nobody else either. The header's To and Cc stay as they are. Pure;
// made once for a configuration.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::rewrite {

class Staging {
 public:
  // Without settings it is off, and allows everybody.
  Staging() = default;
  explicit Staging(const config::Staging& settings);

  bool on() const { return !redirect_.empty(); }
  const std::string& redirect() const { return redirect_; }
  const std::string& subject_prefix() const { return subject_prefix_; }

  // Who takes the place of those who are not allowed. It asks for no notifications (RFC 3461).
  mail::Recipient stand_in() const;

  // Whether mail for this address may leave. A local part that may hold another address ("ann%bank@ours") is
  // allowed by a pattern of its own alone: whom its host would send the mail to is not ours to know.
  bool allows(std::string_view recipient) const;

  // Puts the stand-in in the place of all who are not allowed, once for all of them, and gives them back.
  std::vector<mail::Recipient> replace(std::vector<mail::Recipient>& recipients) const;

 private:
  std::string redirect_;
  std::string subject_prefix_;
  mail::Matcher allowed_;
  std::vector<std::string> patterns_;
};

// "X-Original-To: ADDRESS", a field each with its CR LF, for the first hundred; then one that says how many
// more there are.
std::string original_to_fields(const std::vector<mail::Recipient>& recipients);

}  // namespace relayd::rewrite
