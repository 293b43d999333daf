// Brevo. The header fields that it acts on are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers brevo() {
  using namespace rows;
  return {{
      .name = "brevo",
      .regions = {{"", "smtp-relay.brevo.com"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.hint = "the SMTP login and an SMTP key (not the API key)"},
      .control = {.fields = {{"X-Mailin-Tag", true}, {"X-Mailin-*"}}},
      .domain = "brevo.com",
      .spf = "spf.brevo.com",
      .selectors = {"brevo1", "brevo2"},
      .behaviours = {{"refuse-password", Stage::auth, "535 5.7.8 Authentication failed"},
                     {"refuse-address", Stage::auth, "525 5.7.1 Unauthorized IP address"}},  // guess
      .notes = {"An API key in place of the SMTP key is refused like a wrong password.",
                "Where the account lists the addresses that may use it, others are refused (a guess).",
                "The free plan has 300 messages a day: set `quota`."},
      .source = "Brevo's documentation of SMTP, page not noted; the free plan and DNS from third-party pages",
  }};
}

}  // namespace relayd::providers
