// Mailjet.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailjet() {
  using namespace rows;
  return {{
      .name = "mailjet",
      .regions = {{"", "in-v3.mailjet.com"}},
      .endpoints = {starttls(587), implicit(465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.form = UsernameForm::no_address,
                  .hint = "the API key and the secret key (not an address)"},
      // X-MJ-TemplateID and -Vars replace the content, X-Mailjet-DeduplicateCampaign holds mail back.
      .control = {.fields = {{"X-Mailjet-Campaign", true},
                             {"X-MJ-CustomID", true},
                             {"X-MJ-EventPayload", true},
                             {"X-Mailjet-*"},
                             {"X-MJ-*"}}},
      .domain = "mailjet.com",
      .spf = "spf.mailjet.com",
      .selectors = {"mailjet"},
      .behaviours = {{"refuse-sender", Stage::final_dot, "550 Sender not allowed"}},
      .notes = {"Without a return path of your own, SPF is Mailjet's and only DKIM aligns.",
                "The free plan has 200 messages a day: set `quota`."},
      .source = "Mailjet's documentation of SMTP, page not noted; the free plan and the refused sender from "
                "third-party pages",
  }};
}

}  // namespace relayd::providers
