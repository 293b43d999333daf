// SMTP2GO.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers smtp2go() {
  return {{
      .name = "smtp2go",
      .regions = {{"", "mail.smtp2go.com"},
                  {"us", "mail-us.smtp2go.com"},
                  {"eu", "mail-eu.smtp2go.com"},
                  {"eu2", "mail-eu2.smtp2go.com"},
                  {"au", "mail-au.smtp2go.com"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465), starttls(8025), implicit(8465),
                    implicit(443), starttls(25), starttls(80)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.hint = "an SMTP user made there, and its password"},
      .spf = "smtp2go.net",
      .notes = {"Port 443 leads out of networks that block the others."},
      .source = "developers.smtp2go.com/docs/smtp-relay; DNS from third-party pages",
  }};
}

}  // namespace relayd::providers
