// SendGrid.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers sendgrid() {
  using namespace rows;
  using enum smtp::ReplyClass;
  return {{
      .name = "sendgrid",
      .regions = {{"us", "smtp.sendgrid.net"}, {"eu", "smtp.eu.sendgrid.net"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.form = UsernameForm::one_word,
                  .word = "apikey",
                  .hint = "the word apikey, and an API key"},
      .limits = {.messages_per_connection = 5000, .recipients_per_message = 1000, .message_size = 30_MiB},
      .replies =
          {
              {any, code(451), no_matter, "maximum credits exceeded", quota},       // at AUTH
              {not_rcpt, code(451), no_matter, "messaging limit", quota},           // of the account
              {sending, code(550), no_matter, "verified sender identity", sender},  // after the message
              {sending, code(550), no_matter, "unauthenticated senders not allowed", auth},
          },
      .control =
          {.fields = {{"X-SMTPAPI"}},  // JSON; it can carry recipients
           .tag = {.name = "X-SMTPAPI", .before = R"({"category":")", .after = R"("})", .form = Form::json}},
      .domain = "sendgrid.net",
      .spf = "sendgrid.net",
      .selectors = {"s1", "s2"},
      .extensions = {"8BITMIME", "PIPELINING"},
      .taken = "250 Ok: queued as {}",
      .behaviours = {{"refuse-password", Stage::auth, "535 Authentication failed: Bad username / password"},
                     {"over-quota", Stage::auth, "451 Authentication failed: Maximum credits exceeded"},
                     {"messaging-limit", Stage::final_dot, "451 You have exceeded your messaging limits"},
                     {"refuse-sender", Stage::final_dot,
                      "550 The from address does not match a verified Sender Identity."},
                     {"unauthenticated", Stage::mail, "550 Unauthenticated senders not allowed"}},
      .notes = {"A key of the EU works at the EU host only, a global one at the global host only.",
                "A suppressed recipient is taken with 250; only an event tells later (a guess)."},
      .source = "SendGrid's documentation of SMTP and of error messages, pages not noted",
  }};
}

}  // namespace relayd::providers
