// Elastic Email.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers elasticemail() {
  return {{
      .name = "elasticemail",
      .regions = {{"", "smtp.elasticemail.com"}, {"25", "smtp25.elasticemail.com"}},
      .endpoints = {starttls(2525), starttls(587), implicit(465), starttls(25)},
      // PLAIN and LOGIN are a guess.
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::cram_md5},
      .account = {.hint = "the name of an SMTP credential, and its key"},
      .source = "Elastic Email's documentation of SMTP, page not noted",
  }};
}

}  // namespace relayd::providers
