// Fastmail.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers fastmail() {
  return {{
      .name = "fastmail",
      .regions = {{"", "smtp.fastmail.com"}},
      .endpoints = {implicit(465), starttls(587)},  // 587 is a guess
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login, sasl::Mechanism::xoauth2},
      .oauth2 = config::OAuth2Provider::fastmail,
      .account = {.form = UsernameForm::address,
                  .hint = "the full address, and an app password or an access token"},
      .limits = {.message_size = Bytes{71'000'000}},
      .spf = "spf.messagingengine.com",
      .selectors = {"fm1", "fm2", "fm3"},  // guess
      .source = "Fastmail's documentation, page not noted; SPF from third-party pages",
  }};
}

}  // namespace relayd::providers
