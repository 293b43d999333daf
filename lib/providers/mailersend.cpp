// MailerSend.
//
// Its own documentation, as of 21 November 2026; the page was not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailersend() {
  using namespace rows;
  return {{
      .name = "mailersend",
      // Every error of validation, and never "later".
      .replies = {{content_sent, code(450), no_matter, "given data was invalid", smtp::ReplyClass::content}},
      .control = {.fields = {{"X-MailerSend-Tags", true}, {"X-MailerSend-*"}},
                  .tag = {.name = "X-MailerSend-Tags"}},  // up to five; ours is one
      .domain = "mailersend.net",
  }};
}

}  // namespace relayd::providers
