#include "route/presets.hpp"

#include <algorithm>

namespace relayd::route {

namespace {

using enum config::TlsMode;

config::UpstreamLimits limits(std::optional<std::uint32_t> messages_per_connection,
                              std::optional<std::uint32_t> recipients_per_message) {
  config::UpstreamLimits result;
  result.messages_per_connection = messages_per_connection;
  result.recipients_per_message = recipients_per_message;
  return result;
}

// From the providers' documentation. A value marked "guess" was not found there; the cautious default stands
// in its place. Sizes are not here: each of them tells its own with EHLO SIZE.
const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      {
          "mailgun",
          {{"us", "smtp.mailgun.org"}, {"eu", "smtp.eu.mailgun.org"}},
          {{587, starttls}, {2525, starttls}, {465, implicit}, {25, starttls}},
          {"plain", "login"},
          "",
          "the full SMTP login of the domain, such as postmaster@mg.example.com, and its SMTP password (not "
          "the "
          "API key)",
          limits(std::nullopt, std::nullopt),  // guess: 1000 recipients a message are said to be allowed
      },
      {
          "sendgrid",
          {{"us", "smtp.sendgrid.net"}, {"eu", "smtp.eu.sendgrid.net"}},  // the host of eu is a guess
          {{587, starttls}, {2525, starttls}, {465, implicit}, {25, starttls}},
          {"plain", "login"},
          "apikey",
          "the word apikey, and an API key",
          limits(5000, 1000),
      },
      {
          "sendcloud",
          {{"", "smtp.sendcloud.net"}},
          // TLS on these ports is a guess: without it the upstream waits and says so, and no password leaves.
          {{587, starttls}, {2525, starttls}, {25, starttls}},
          {"plain", "login"},  // guess
          "",
          "API_USER and API_KEY",
          limits(std::nullopt, std::nullopt),  // a day's quota by plan
      },
  };
  return table;
}

}  // namespace

const Preset* find_preset(std::string_view name) {
  const auto found = std::find_if(presets().begin(), presets().end(),
                                  [name](const Preset& preset) { return preset.name == name; });
  return found == presets().end() ? nullptr : &*found;
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

}  // namespace relayd::route
