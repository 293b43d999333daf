// Webhooks: what a receiver is told, in the form of Standard Webhooks 1.0.0.
//
// Last stage of the path; pure. An event is a line of JSON. It says only what the queue still knows of an
// outcome after a crash, so that a start makes the very same of what was not written.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/time.hpp"
#include "shared/config/config.hpp"

namespace relayd::tell {

// What became of one recipient, or of an account.
struct WebhookNews {
  config::WebhookEvent what;
  std::string_view id = {};  // of the message; empty: a client was refused a recipient who is suppressed
  std::uint32_t recipient = 0;
  WallTime when{};
  std::string_view from = {};  // empty: the null sender
  std::string_view to = {};
  std::string_view upstream = {};  // empty: none was asked
  std::string_view account = {};   // of an account: its user name; empty: no login
  std::string_view host = {};      // "mx.example.net:587"; empty: none was reached
  std::uint16_t code = 0;          // of its reply; 0: there was none
  std::string_view text = {};      // its reply, or what happened instead; of an account: what to change, too
  std::string_view provider_id = {};
};

// No event is longer, with its '\n'; longer texts are cut.
inline constexpr std::size_t longest_webhook_event = 4 * 1024;
// No body is longer.
inline constexpr std::size_t longest_webhook_body = 20'000;

// Appends the event, a line: {"id", "type", "timestamp", "data": {…}}. The same news has the same id, and no
// other has it. `masked`: addresses are as in the log.
void append_webhook_event(std::string& out, const WebhookNews& news, bool masked);

// Whether a line is of a `deferred`, which what becomes of the recipient later makes needless.
bool is_superseded(std::string_view line);

// The body of a request and its `webhook-id`, of as many of the first lines as fit, one at least. One event
// is the body itself; several are its `data`.
struct WebhookBatch {
  std::string id;
  std::string body;
  std::size_t octets = 0;  // of the lines, with their '\n'
  std::size_t events = 0;
};
WebhookBatch make_webhook_batch(std::string_view lines);

// The octets of "whsec_" and base64 of 24 to 64 octets.
Result<std::string> parse_webhook_secret(std::string_view text);

// The value of `webhook-signature`: one for each secret, "v1,BASE64", by blanks.
std::string webhook_signature(std::span<const std::string> secrets, std::string_view id, std::int64_t seconds,
                              std::string_view body);

}  // namespace relayd::tell
