// SendCloud (China).
//
// Its own documentation of SMTP, as of 21 November 2026; the page was not noted. It publishes no table of
// replies that could be checked: the general rows hold.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers sendcloud() {
  return {{
      .name = "sendcloud",
      .regions = {{"", "smtp.sendcloud.net"}},
      // TLS on these ports is a guess: without it the upstream waits and says so, and no password leaves.
      .endpoints = {starttls(587), starttls(2525), starttls(25)},
      .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},  // PLAIN is a guess
      .account = {.hint = "API_USER and API_KEY"},
      // No limits: a day's quota goes by plan.
      .pipelining = smtp::Pipelining::transaction,  // guess: nothing is told of its server
      .id = IdPattern{.before = "#"},               // #ID
      .control = {.fields = {{"X-SMTPAPI"}}},       // guess; not the JSON of SendGrid
      .domain = "sendcloud.net",
      .spf = "spf.sendcloud.org",
  }};
}

}  // namespace relayd::providers
