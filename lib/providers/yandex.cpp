// Yandex.
//
// Its own documentation, as of 21 November 2026; the page was not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers yandex() {
  return {{
      .name = "yandex",
      // From or Sender that the account does not own.
      .replies = {{rows::content_sent, rows::code(550), {5, 7, 0}, "", smtp::ReplyClass::sender}},
  }};
}

}  // namespace relayd::providers
