// iCloud.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers icloud() {
  using namespace rows;
  using namespace std::chrono_literals;
  using config::Quota;
  return {{
      .name = "icloud",
      .regions = {{"", "smtp.mail.me.com"}},
      .endpoints = {starttls(587)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
      .account = {.hint = "the address of the account, and an app-specific password"},
      .limits = {.recipients_per_message = 500,
                 .message_size = 20_MiB,
                 .quota = std::vector<Quota>{{1000, Quota::Period::sliding, 24h, config::Counted::messages},
                                             {1000, Quota::Period::sliding, 24h}}},
      .spf = "icloud.com",
      .selectors = {"sig1"},  // guess
      .behaviours = {{"over-quota", Stage::final_dot,
                      "550 5.7.1 You have exceeded your daily sending limit"}},
      .notes = {"Older pages say 200 messages a day, for 100 recipients each."},
      .source = "third-party pages, not noted",
  }};
}

}  // namespace relayd::providers
