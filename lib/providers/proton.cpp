// Proton Mail.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers proton() {
  return {{
      .name = "proton",
      .regions = {{"", "smtp.protonmail.ch"}},
      .endpoints = {starttls(587)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.form = UsernameForm::address,
                  .hint = "an address of your own domain there, and its SMTP token"},
      .selectors = {"protonmail", "protonmail2", "protonmail3"},  // guess
      .notes = {"A token is for one address, which From must be: one rule a sender.",
                "Some plans have no SMTP."},
      .source = "Proton's documentation, page not noted",
  }};
}

}  // namespace relayd::providers
