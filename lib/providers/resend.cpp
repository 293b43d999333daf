// Resend: the header field that it acts on.
//
// resend.com/docs/send-with-smtp, as of 21 November 2026.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers resend() {
  return {{
      .name = "resend",
      // What has the key of another message within 24 hours is not sent.
      .control = {.fields = {{"Resend-Idempotency-Key"}}},
      .domain = "resend.com",
  }};
}

}  // namespace relayd::providers
