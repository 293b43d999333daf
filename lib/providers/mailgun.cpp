// Mailgun.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailgun() {
  using namespace rows;
  return {{
      .name = "mailgun",
      .regions = {{"us", "smtp.mailgun.org"}, {"eu", "smtp.eu.mailgun.org"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.form = UsernameForm::address,
                  .hint = "the full SMTP login of the domain, such as postmaster@mg.example.com, and its "
                          "SMTP password (not the API key)"},
      .limits = {.message_size = 25_MiB},
      .replies =
          {
              // One text for a sandbox domain, an inactive account and a recipient limit: not the message's
              // fault.
              {any, code(421), no_matter, "not allowed to send", smtp::ReplyClass::auth},
              // A sandbox domain sends to authorised recipients alone.
              {sending, code(554), no_matter, "sandbox", smtp::ReplyClass::sender},
          },
      // -Deliver-By, -Drop-Message, -Recipient-Variables, -Track and others
      .control = {.fields = {{"X-Mailgun-Tag", true}, {"X-Mailgun-*"}}, .tag = {.name = "X-Mailgun-Tag"}},
      .domain = "mailgun.org",
      .spf = "mailgun.org",
      .selectors = {"pdk1", "pdk2"},
      .extensions = {"PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"},
      .taken = "250 Great success",
      .behaviours = {{"refuse-password", Stage::auth, "535 Authentication failed"},
                     {"account-inactive", Stage::mail,
                      "421 Domain mg.example.com is not allowed to send: inactive"},
                     {"over-quota", Stage::final_dot,
                      "421 Domain mg.example.com is not allowed to send: recipient limit exceeded"},
                     {"sandbox-domain", Stage::final_dot,
                      "554 Sandbox subdomains are for test purposes only."}},
      .notes = {"Its reply names no id; its events name the Message-ID (a guess).",
                "A domain of the other region is unknown here (a guess).",
                "421 is said of states that do not pass by themselves."},
      .source = "Mailgun's documentation of SMTP and of sending errors, pages not noted",
  }};
}

}  // namespace relayd::providers
