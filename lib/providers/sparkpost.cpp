// SparkPost (Bird).
#include "providers/provider.hpp"

namespace relayd::providers {

Providers sparkpost() {
  using namespace rows;
  return {{
      .name = "sparkpost",
      .regions = {{"us", "smtp.sparkpostmail.com"}, {"eu", "smtp.eu.sparkpostmail.com"}},
      .endpoints = {starttls(587), starttls(2525)},
      .mechanisms = {sasl::Mechanism::login},
      .account = {.form = UsernameForm::one_word,
                  .word = "SMTP_Injection",
                  .suffix = ":X-MSYS-SUBACCOUNT=",
                  .hint = "the word SMTP_Injection (:X-MSYS-SUBACCOUNT=n behind it for a subaccount), and an "
                          "API key with \"Send via SMTP\""},
      .limits = {.messages_per_connection = 100},
      .replies = {{sending, code(421), no_matter, "limit", smtp::ReplyClass::rate}},  // guess
      .control = {.fields = {{"X-MSYS-*"}}},  // X-MSYS-API: JSON; it can carry Cc, Bcc, an archive
      .domain = "sparkpostmail.com",
      .spf = "_spf.sparkpostmail.com",
      .behaviours = {{"refuse-sender", Stage::final_dot,
                      "550 5.7.1 Unconfigured Sending Domain <example.com>"},
                     {"throttle", Stage::final_dot, "421 4.7.0 Exceeded sending limit"}},  // guess
      .notes = {"A connection that idles for a minute is closed there."},
      .source = "SparkPost's documentation of SMTP, page not noted; the row of its limits is a guess",
  }};
}

}  // namespace relayd::providers
