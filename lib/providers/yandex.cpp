// Yandex.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers yandex() {
  using namespace rows;
  return {{
      .name = "yandex",
      .regions = {{"", "smtp.yandex.ru"}},
      .endpoints = {implicit(465)},
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.hint = "the address of the account, and an app password"},
      // From or Sender that the account does not own.
      .replies = {{content_sent, code(550), {5, 7, 0}, "", smtp::ReplyClass::sender}},
      .spf = "_spf.yandex.net",
      .selectors = {"mail"},
      .behaviours = {{"refuse-sender", Stage::final_dot,
                      "550 5.7.0 Sender or From is not owned by the user"}},
      .notes = {"From and Sender must be addresses of the account."},
      .source = "Yandex's documentation, page not noted",
  }};
}

}  // namespace relayd::providers
