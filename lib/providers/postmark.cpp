// Postmark: the header fields that it acts on.
//
// Its own documentation of SMTP and templates of DNS records, as of 21 November 2026; the pages were not
// noted. X-PM-Message-Stream is documented, the others are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers postmark() {
  return {{
      .name = "postmark",
      .control = {.fields = {{"X-PM-Tag", true}, {"X-PM-Metadata-*", true}, {"X-PM-*"}},
                  .tag = {.name = "X-PM-Tag"},
                  .stream = {.name = "X-PM-Message-Stream", .form = Form::word}},
      .domain = "postmarkapp.com",
  }};
}

}  // namespace relayd::providers
