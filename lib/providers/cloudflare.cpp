// Cloudflare Email Sending.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers cloudflare() {
  using namespace rows;
  return {{
      .name = "cloudflare",
      // No regions, so no preset, until somebody has seen whether it takes our Received field.
      .endpoints = {implicit(465)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.form = UsernameForm::one_word,
                  .word = "api_token",
                  .hint = "the word api_token, and a token that may edit Email Sending"},
      .limits = {.recipients_per_connection = 50, .message_size = 5_MiB},
      // Its 250 has an id unless all recipients are suppressed.
      .replies = {{only(Stage::final_dot), code(250), no_matter, without_id, smtp::ReplyClass::suppressed}},
      .id = IdPattern{.before = "ok <", .end = '>'},  // Ok <ID>
      .replaces = {"Date", "Message-ID"},
      .taken = "250 2.0.0 Ok <{}>",
      .behaviours = {{"suppress", Stage::final_dot, "250 2.0.0 Ok"},
                     {"refuse-sender", Stage::mail, "550 5.7.1 Sender denied"},
                     {"too-many-recipients", Stage::rcpt,
                      "452 4.5.3 Too many recipients in this session. Open a new session for the rest."}},
      .notes =
          {"No preset yet: it refuses header fields that it does not know, and whether it takes Received "
           "has not been tried.",
           "One suppressed recipient among several cannot be seen in its reply."},
      .source = "github.com/cloudflare/cloudflare-docs, send-emails/smtp.mdx",
  }};
}

}  // namespace relayd::providers
