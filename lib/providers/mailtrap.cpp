// Mailtrap.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailtrap() {
  using namespace rows;
  return {{
      .name = "mailtrap",
      .regions = {{"transactional", "live.smtp.mailtrap.io"}, {"bulk", "bulk.smtp.mailtrap.io"}},
      .endpoints = {starttls(587), starttls(2525), implicit(465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.form = UsernameForm::one_word,
                  .word = "api",
                  .hint = "the word api, and the token of that stream"},
      // It takes 10 connections of an account, and 10 of an address.
      .limits =
          {.connections = 8, .connections_total = 8, .messages_per_connection = 100, .message_size = 10_MiB},
      // Its 535 is not the password alone.
      .replies = {{only(Stage::auth), code(535), no_matter, "too many connections", smtp::ReplyClass::conn}},
      .control = {.fields = {{"X-MT-Category", true}, {"X-MT-Custom-Variables", true}, {"X-MT-*"}},
                  .tag = {.name = "X-MT-Category"}},
      .domain = "mailtrap.io",
      .spf = "_spf.mailtrap.io",
      .selectors = {"rwmt1", "rwmt2"},
      .behaviours = {{"too-many-connections", Stage::auth, "535 5.7.8 Too many connections per account"},
                     {"refuse-password", Stage::auth, "535 5.7.8 Invalid credentials"},
                     {"refuse-sender", Stage::mail, "550 5.7.1 Sending from domain is not allowed"},
                     {"wrong-from", Stage::final_dot,
                      "554 5.7.1 From: Header does not match the sender's domain"}},
      .notes =
          {"A token is for one stream: `region: transactional` (the default) or `bulk`.",
           "A new account sends 150 messages an hour; the rest waits there. The free plan has 150 a day and "
           "refuses the rest."},
      .source = "github.com/mailtrap/mailtrap-docs",
  }};
}

}  // namespace relayd::providers
