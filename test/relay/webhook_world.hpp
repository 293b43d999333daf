// Events of webhooks for tests: lines as the relay makes them.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

#include "tell/webhook.hpp"

namespace relayd::test {

inline std::string webhook_line(int number, WallTime when,
                                config::WebhookEvent what = config::WebhookEvent::delivered,
                                const std::string& text = "2.0.0 Ok") {
  const std::string id = fmt::format("m{:06}", number);
  std::string line;
  tell::append_webhook_event(line,
                             {.what = what,
                              .id = id,
                              .when = when,
                              .from = "ann@example.com",
                              .to = "bob@example.net",
                              .upstream = "main",
                              .host = "mx.example.net:25",
                              .code = 250,
                              .text = text,
                              .provider_id = {}},
                             false);
  return line;
}

// The messages that a body names, in its order.
inline std::vector<std::string> messages_in(const std::string& body) {
  constexpr std::string_view key = R"("message":")";
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = body.find(key, at)) != std::string::npos;) {
    at += key.size();
    found.push_back(body.substr(at, body.find('"', at) - at));
  }
  return found;
}

}  // namespace relayd::test
