// OVH, its mailboxes.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers ovh() {
  return {{
      .name = "ovh",
      .regions = {{"", "ssl0.ovh.net"}},
      .endpoints = {implicit(465), starttls(587)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.hint = "the address, and its password"},
      .notes = {"From must be the account.", "About 200 messages an hour go (a guess)."},
      .source = "third-party pages, not noted",
  }};
}

}  // namespace relayd::providers
