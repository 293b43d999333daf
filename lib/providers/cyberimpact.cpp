// Cyberimpact. Only its replies are known.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers cyberimpact() {
  using namespace rows;
  return {{
      .name = "cyberimpact",
      // Others say 452 4.2.2 of a recipient's mailbox.
      .replies =
          {{sending, code(452), {4, 2, 2}, "quota exceeded for the current period", smtp::ReplyClass::quota}},
      .behaviours = {{"over-quota", Stage::mail, "452 4.2.2 Quota exceeded for the current period"},
                     {"too-many-connections", Stage::auth,
                      "454 4.7.0 Too many active sessions for user/account/IP address"}},
      .source = "Cyberimpact's documentation, page not noted",
  }};
}

}  // namespace relayd::providers
