// Scaleway Transactional Email.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers scaleway() {
  return {{
      .name = "scaleway",
      .regions = {{"", "smtp.tem.scaleway.com"}},
      .endpoints = {starttls(587), starttls(2587), implicit(465), implicit(2465), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.form = UsernameForm::no_address,
                  .hint = "the id of the project, and the secret key of an API key (no address)"},
      .limits = {.recipients_per_message = 10, .message_size = 50_MiB},
      .spf = "_spf.tem.scaleway.com",
      .notes =
          {"Ten recipients a message, 10 attachments and 10,000 a month are what a project has at first.",
           "Scaleway's own machines reach 25, 465, 587 and 2465 only where SMTP was allowed for them."},
      .source = "Scaleway's documentation of SMTP, page not noted",
  }};
}

}  // namespace relayd::providers
