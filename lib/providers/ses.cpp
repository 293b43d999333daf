// Amazon SES.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers ses() {
  using namespace rows;
  using enum smtp::ReplyClass;
  return {{
      .name = "ses",
      .regions = {{"*", "email-smtp.*.amazonaws.com"}},
      .endpoints = {starttls(587), starttls(2587), implicit(465), implicit(2465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.form = UsernameForm::no_address,
                  .hint =
                      "the SMTP credentials of that region (not the keys of an IAM user, nor an address)"},
      // No rate, no quota: each account has its own, and the server tells when they are reached.
      .limits = {.recipients_per_message = 50, .message_size = 40_MiB},
      // Its 421 and its three kinds of 454 fit the general rows.
      .replies =
          {
              // "Sending paused", or suspended, "for this account"
              {sending, code(554), no_matter, "for this account", auth},
              // "User … is not authorized to perform ses:SendRawEmail": the policy of its user
              {sending, code(554), no_matter, "access denied*not authorized to perform", auth},
          },
      .id = IdPattern{.before = "ok "},  // Ok ID
      // X-SES-CONFIGURATION-SET, -SOURCE-ARN, -FROM-ARN, -RETURN-PATH-ARN
      .control = {.fields = {{"X-SES-MESSAGE-TAGS", true}, {"X-SES-*"}},
                  // Letters, digits, '_' and '-'; the name of the tag is ours.
                  .tag = {.name = "X-SES-MESSAGE-TAGS", .before = "tag=", .form = Form::word},
                  .stream = {.name = "X-SES-CONFIGURATION-SET", .form = Form::word}},
      .domain = "amazonaws.com",
      .spf = "amazonses.com",
      // guess: what its pages say of the API's fields holds for SMTP
      .null_sender = false,
      .replaces = {"Date", "Message-ID"},
      .taken = "250 Ok {}",
      .behaviours =
          {
              {"throttle", Stage::final_dot, "454 Throttling failure: Maximum sending rate exceeded."},
              {"over-quota", Stage::final_dot, "454 Throttling failure: Daily message quota exceeded."},
              {"refuse-password", Stage::auth, "535 Authentication Credentials Invalid"},
              {"down", Stage::auth, "454 Temporary authentication failure"},
              {"too-many-connections", Stage::greeting, "421 Too many concurrent SMTP connections"},
              {"refuse-sender", Stage::final_dot,
               "554 Message rejected: Email address is not verified. The following identities failed the "
               "check in region EU-WEST-1: app@example.com"},
              {"account-paused", Stage::final_dot, "554 Message rejected: Sending paused for this account."},
              {"not-authorized", Stage::final_dot,
               "554 Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform "
               "`ses:SendRawEmail' on resource `arn:aws:ses:eu-west-1:1:identity/a@example.com'"},
              {"refuse-content", Stage::final_dot, "554 Transaction failed: Invalid email address"},
              {"null-sender", Stage::mail, "501 Invalid MAIL FROM address provided"},
          },
      .notes = {"Identities and credentials belong to one region.",
                "Without a return path of your own, SPF is Amazon's and only DKIM aligns (a guess).",
                "A recipient on the account's suppression list is taken with 250; only an event tells later.",
                "Reports (MAIL FROM:<>) are refused: give `bounce.from`."},
      .source = "docs.aws.amazon.com/ses: troubleshoot-smtp and troubleshoot-error-messages; the null sender "
                "from docker-mailserver/docker-mailserver#2403",
  }};
}

}  // namespace relayd::providers
