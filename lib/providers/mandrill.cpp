// Mandrill (Mailchimp Transactional).
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mandrill() {
  return {{
      .name = "mandrill",
      .regions = {{"", "smtp.mandrillapp.com"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465), starttls(25)},  // 465 is a guess
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},             // guess
      .account = {.hint = "any name, and an API key"},
      // X-MC-BccAddress adds a recipient, -Subaccount takes another account, -SendAt holds mail back.
      .control = {.fields = {{"X-MC-Tags", true}, {"X-MC-*"}},
                  // A list with commas; what begins with '_' is its own.
                  .tag = {.name = "X-MC-Tags", .form = Form::word, .longest = 50}},
      .domain = "mandrillapp.com",
      .selectors = {"mte1", "mte2"},  // guess
      .notes = {"Mail with a From that is not verified, or of a paused account, is taken with 250 and never "
                "sent (told in 2013)."},
      .source = "Mandrill's documentation of SMTP and its headers, page not noted",
  }};
}

}  // namespace relayd::providers
