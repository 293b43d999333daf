// Mandrill (Mailchimp Transactional): the header fields that it acts on.
//
// Its own documentation of SMTP headers, as of 21 November 2026; the page was not noted.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mandrill() {
  return {{
      .name = "mandrill",
      // X-MC-BccAddress adds a recipient, -Subaccount takes another account, -SendAt holds mail back.
      .control = {.fields = {{"X-MC-Tags", true}, {"X-MC-*"}},
                  // A list with commas; what begins with '_' is its own.
                  .tag = {.name = "X-MC-Tags", .form = Form::word, .longest = 50}},
      .domain = "mandrillapp.com",
  }};
}

}  // namespace relayd::providers
