// SendCloud (China). It publishes no table of replies that could be checked: the general rows hold.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers sendcloud() {
  using namespace rows;
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
      .selectors = {"mail", "e1", "e2"},
      .taken = "250 #{}",
      .behaviours = {{"refuse-password", Stage::auth, "535 Error: authentication failed"}},
      .notes = {"MAIL FROM must be of the domain that the platform set.",
                "Whether its ports offer TLS is not proved: where they do not, mail waits and no password "
                "leaves."},
      .source =
          "SendCloud's documentation of SMTP, page not noted; selectors from that of its overseas branch",
  }};
}

}  // namespace relayd::providers
