#include "tell/webhook.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "fuzz/targets.hpp"

namespace relayd::fuzz {

using nlohmann::json;

namespace {

// What a stranger says in each text of an event.
std::string event_of(std::string_view said, config::WebhookEvent what, bool masked) {
  const tell::WebhookNews news{.what = what,
                               .id = said.substr(said.size() / 2),
                               .from = said,
                               .to = said,
                               .upstream = said,
                               .account = said,
                               .host = said,
                               .code = 550,
                               .text = said,
                               .provider_id = said};
  std::string line;
  tell::append_webhook_event(line, news, masked);
  demand(std::ranges::count(line, '\n') == 1 && line.ends_with('\n'), "an event is one line");
  demand(line.size() <= tell::longest_webhook_event, "a line is bounded");
  const json event = json::parse(line, nullptr, false);
  demand(event.is_object() && event.at("data").at("code") == 550, "an event is JSON");
  demand(tell::is_superseded(line) == (what == config::WebhookEvent::deferred), "a line is what it says");
  return line;
}

}  // namespace

void webhook(std::string_view input) {
  std::string lines;
  using enum config::WebhookEvent;
  const auto kinds = {deferred, failed, account_failing, deferred, account_ok};
  for (const bool masked : {false, true})
    for (const config::WebhookEvent kind : kinds) lines += event_of(input, kind, masked);
  for (std::string_view left = lines; !left.empty();) {
    const tell::WebhookBatch batch = tell::make_webhook_batch(left);
    demand(batch.events > 0 && batch.octets <= left.size(), "a batch has some of the lines");
    demand(batch.body.size() <= tell::longest_webhook_body, "a body is bounded");
    demand(json::accept(batch.body), "a body is JSON");
    left.remove_prefix(batch.octets);
  }
  tell::make_webhook_batch(input);
  tell::is_superseded(input);
  if (const auto secret = tell::parse_webhook_secret(input))
    demand(secret->size() >= 24 && secret->size() <= 64, "a secret has its size");
}

}  // namespace relayd::fuzz
