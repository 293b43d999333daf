// Oracle Cloud, Email Delivery. Its hosts are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers oci() {
  using namespace rows;
  using enum smtp::ReplyClass;
  return {{
      .name = "oci",
      .regions = {{"*", "smtp.email.*.oci.oraclecloud.com"}},  // guess
      .example_region = "eu-frankfurt-1",
      .endpoints = {starttls(587), implicit(465)},                     // 587 is a guess
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.hint = "the SMTP credential of a user, name and password as the console shows them"},
      .replies =
          {
              // Limits are of the tenancy; the wrong logins, of our address.
              {sending, code(455), no_matter, "messages sent per minute", rate},
              {sending, code(455), no_matter, "messages sent per day", quota},
              {any, code(421), no_matter, "too many auth failures", auth, our_address},
              {only(Stage::final_dot), code(254), no_matter, "", suppressed},
          },
      .spf = "rp.oracleemaildelivery.com",
      .taken = "250 Ok",
      .behaviours = {{"throttle", Stage::mail, "455 Maximum messages sent per minute reached : limit is 10"},
                     {"over-quota", Stage::mail, "455 Maximum messages sent per day reached : limit is 200"},
                     {"too-many-logins", Stage::greeting, "421 Too many auth failures, try again later"},
                     {"suppress", Stage::final_dot,
                      "254 4.7.1 Suppression for user <u> to RCPT <b@example.org>"}},
      .notes = {"The sender must be approved in that region.",
                "Repeated wrong logins block this machine's address for a while.",
                "A user has two SMTP credentials at most."},
      .source = "docs.oracle.com, Email/Concepts/troubleshooting; hosts, 587 and mechanisms are a guess",
  }};
}

}  // namespace relayd::providers
