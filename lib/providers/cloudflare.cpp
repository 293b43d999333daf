// Cloudflare Email Sending.
//
// github.com/cloudflare/cloudflare-docs, send-emails/smtp.mdx, as of 21 November 2026.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers cloudflare() {
  using namespace rows;
  return {{
      .name = "cloudflare",
      // Its 250 has an id unless all recipients are suppressed.
      .replies = {{only(Stage::final_dot), code(250), no_matter, without_id, smtp::ReplyClass::suppressed}},
      .id = IdPattern{.before = "ok <", .end = '>'},  // Ok <ID>
  }};
}

}  // namespace relayd::providers
