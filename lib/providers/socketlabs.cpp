// SocketLabs and ReachMail, where each account has a host of its own.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers socketlabs() {
  using namespace rows;
  return {
      {
          .name = "socketlabs",
          .regions = {{"", ""}},
          .endpoints = {starttls(587)},  // guess
          .mechanisms = {sasl::Mechanism::login},
          .account = {.hint = "those of the account's server"},
          .limits = {.connections = 10,
                     .messages_per_connection = 50,
                     .recipients_per_message = 500,
                     .message_size = 30_MiB},
          .control = {.fields = {{"X-xsMailingId", true}}},  // guess
          .behaviours = {{"too-many-connections", Stage::greeting, "421 4.4.5 Too many connections"}},
          .source = "SocketLabs' documentation, page not noted",
      },
      {
          .name = "reachmail",
          .regions = {{"", ""}},
          .endpoints = {starttls(587)},  // guess
          .mechanisms = {sasl::Mechanism::login},
          .account = {.hint = "those of the account"},
          .limits = {.messages_per_connection = 25, .recipients_per_message = 100},
          .notes = {"A suppressed recipient is taken with 250."},
          .source = "ReachMail's documentation, page not noted",
      },
  };
}

}  // namespace relayd::providers
