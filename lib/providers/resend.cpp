// Resend.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers resend() {
  return {{
      .name = "resend",
      .regions = {{"", "smtp.resend.com"}},
      .endpoints = {starttls(587), starttls(2587), implicit(465), implicit(2465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.form = UsernameForm::one_word,
                  .word = "resend",
                  .hint = "the word resend, and an API key"},
      // What has the key of another message within 24 hours is not sent.
      .control = {.fields = {{"Resend-Idempotency-Key"}}},
      .domain = "resend.com",
      .selectors = {"resend"},
      .notes = {"SPF is for the name of the return path: include:amazonses.com.",
                "Its console has no logs of mail that came by SMTP."},
      .source = "resend.com/docs/send-with-smtp",
  }};
}

}  // namespace relayd::providers
