// Amazon SES.
//
// docs.aws.amazon.com/ses, troubleshoot-smtp and troubleshoot-error-messages, as of 21 November 2026.
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
  }};
}

}  // namespace relayd::providers
