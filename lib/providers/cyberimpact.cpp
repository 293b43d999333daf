// Cyberimpact.
//
// Its own documentation, as of 21 November 2026; the page was not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers cyberimpact() {
  return {{
      .name = "cyberimpact",
      // Others say 452 4.2.2 of a recipient's mailbox.
      .replies = {{rows::sending,
                   rows::code(452),
                   {4, 2, 2},
                   "quota exceeded for the current period",
                   smtp::ReplyClass::quota}},
  }};
}

}  // namespace relayd::providers
