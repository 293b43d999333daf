// Azure Communication Services.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers azure_acs() {
  using namespace std::chrono_literals;
  using namespace rows;
  using config::Counted;
  return {{
      .name = "azure-acs",
      .regions = {{"", "smtp.azurecomm.net"}},
      .endpoints = {starttls(587), starttls(25)},
      .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::xoauth2},
      .oauth2 = config::OAuth2Provider::azure,
      .account = {.hint =
                      "RESOURCE|APP-ID|TENANT or a name that was chosen for it, and a client secret of the "
                      "Entra application"},
      // What a subscription has at first; more is given on request.
      .limits = {.recipients_per_message = 50,
                 .message_size = 10_MiB,
                 .rate =
                     std::vector<config::Rate>{{30, 1min, Counted::messages}, {100, 1h, Counted::messages}}},
      .replies = {{sending, code(451), {4, 5, 127}, "", smtp::ReplyClass::rate}},  // guess
      .spf = "spf.protection.outlook.com",                                         // guess
      .behaviours = {{"throttle", Stage::final_dot,
                      "451 4.5.127 Message rejected. Excessive message rate from sender."}},
      .notes = {"The password is a client secret, which expires.",
                "On Azure's own domain 5 messages a minute and 10 an hour go: set `rate`."},
      .source = "learn.microsoft.com and MicrosoftDocs/azure-docs, send-email-smtp-oauth; the rates from "
                "third-party pages; the row of the excessive rate is a guess",
  }};
}

}  // namespace relayd::providers
