// Postmark. X-PM-Message-Stream is documented, the other header fields are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers postmark() {
  return {{
      .name = "postmark",
      .regions = {{"transactional", "smtp.postmarkapp.com"},
                  {"broadcasts", "smtp-broadcasts.postmarkapp.com"}},
      .endpoints = {starttls(587), starttls(2525), starttls(25)},
      .mechanisms = {sasl::Mechanism::plain},
      .account = {.hint = "the server token as both, or the access key and the secret key of a stream"},
      .limits = {.connections = 10, .recipients_per_message = 50, .message_size = 10_MiB},
      .control = {.fields = {{"X-PM-Tag", true}, {"X-PM-Metadata-*", true}, {"X-PM-*"}},
                  .tag = {.name = "X-PM-Tag"},
                  .stream = {.name = "X-PM-Message-Stream", .form = Form::word}},
      .domain = "postmarkapp.com",
      .spf = "spf.mtasv.net",
      .notes = {"With the server token the stream is that of X-PM-Message-Stream alone: bulk mail without it "
                "goes as transactional.",
                "A suppressed recipient is taken with 250; only an event tells later.",
                "No port has TLS from the first octet."},
      .source = "Postmark's documentation of SMTP and its templates of DNS records, pages not noted; ten "
                "connections from a third-party page",
  }};
}

}  // namespace relayd::providers
