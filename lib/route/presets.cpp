#include "route/presets.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relayd::route {

namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Pipelining;
using config::Quota;
using config::Rate;
using config::UpstreamLimits;
using enum config::TlsMode;
using sasl::Mechanism::login;
using sasl::Mechanism::plain;

bool any(std::string_view) {
  return true;
}
bool is_address(std::string_view username) {
  return username.find('@') != std::string_view::npos;
}
bool is_no_address(std::string_view username) {
  return !is_address(username);
}
bool is_apikey(std::string_view username) {
  return username == "apikey";
}

// From the providers' documentation. A value marked "guess" was not found there; the cautious default stands
// in its place. Where no size is given, the server tells its own with EHLO SIZE.
const std::vector<Preset>& presets() {
  static const std::vector<Preset> table = {
      {
          .name = "gmail",
          .regions = {{"", "smtp.gmail.com"}},
          .endpoints = {{587, starttls}, {465, implicit}},
          .mechanisms = {plain, login},
          .takes_username = is_address,
          .credential_hint = "the full address of the account, and an app password (not the account's own)",
          // Of Workspace; a personal account has 500, and the server tells when it is used up. Three
          // connections are a guess.
          .limits = {.connections = 3,
                     .recipients_per_message = 100,
                     .quota = std::vector<Quota>{{2000, Quota::Period::sliding, 24h, Counted::messages},
                                                 {10'000, Quota::Period::sliding, 24h}}},
      },
      {
          .name = "mailgun",
          .regions = {{"us", "smtp.mailgun.org"}, {"eu", "smtp.eu.mailgun.org"}},
          .endpoints = {{587, starttls}, {2525, starttls}, {465, implicit}, {25, starttls}},
          .mechanisms = {plain, login},
          .takes_username = is_address,
          .credential_hint = "the full SMTP login of the domain, such as postmaster@mg.example.com, and its "
                             "SMTP password (not the API key)",
          // Guess: 1000 recipients a message are said to be allowed.
          .limits = {.message_size = 25_MiB},
      },
      {
          .name = "office365",
          .regions = {{"", "smtp.office365.com"}},
          .endpoints = {{587, starttls}},
          .mechanisms = {login},  // it offers no PLAIN
          .takes_username = is_address,
          .credential_hint = "the full address of a mailbox that may use SMTP AUTH, and its password",
          // A tenant may set its own number of recipients a message, 500 unless it does.
          .limits = {.connections = 3,
                     .recipients_per_message = 500,
                     .rate = std::vector<Rate>{{30, 1min, Counted::messages}},
                     .quota = std::vector<Quota>{{10'000, Quota::Period::sliding, 24h}}},
      },
      {
          .name = "sendcloud",
          .regions = {{"", "smtp.sendcloud.net"}},
          // TLS on these ports is a guess: without it the upstream waits and says so, and no password leaves.
          .endpoints = {{587, starttls}, {2525, starttls}, {25, starttls}},
          .mechanisms = {plain, login},  // guess
          .takes_username = any,
          .credential_hint = "API_USER and API_KEY",
          // A day's quota by plan.
          .pipelining = Pipelining::transaction,  // guess: nothing is told of its server
      },
      {
          .name = "sendgrid",
          // The host of eu is a guess.
          .regions = {{"us", "smtp.sendgrid.net"}, {"eu", "smtp.eu.sendgrid.net"}},
          .endpoints = {{587, starttls}, {2525, starttls}, {465, implicit}, {25, starttls}},
          .mechanisms = {plain, login},
          .takes_username = is_apikey,
          .credential_hint = "the word apikey, and an API key",
          .limits = {.messages_per_connection = 5000, .recipients_per_message = 1000, .message_size = 30_MiB},
      },
      {
          .name = "ses",
          .regions = {{"*", "email-smtp.*.amazonaws.com"}},
          .endpoints = {{587, starttls}, {2587, starttls}, {465, implicit}, {2465, implicit}, {25, starttls}},
          .mechanisms = {plain, login},  // guess
          .takes_username = is_no_address,
          .credential_hint =
              "the SMTP credentials of that region (not the keys of an IAM user, nor an address)",
          // No rate, no quota: each account has its own, and the server tells when they are reached.
          .limits = {.recipients_per_message = 50, .message_size = 40_MiB},
      },
  };
  return table;
}

// "eu-west-1": what may stand inside a host name.
bool is_region_name(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.starts_with('-') && !name.ends_with('-') && std::ranges::all_of(name, good);
}

Result<std::string> host_in_any_region(const Preset& preset, std::string_view region) {
  if (region.empty()) return Error{fmt::format("'{}' needs a region, such as eu-west-1", preset.name)};
  if (!is_region_name(region)) return Error{fmt::format("'{}' is not a region of '{}'", region, preset.name)};
  std::string host(preset.regions.front().host);
  return host.replace(host.find('*'), 1, region);
}

}  // namespace

const Preset* find_preset(std::string_view name) {
  const auto found = std::ranges::find(presets(), name, &Preset::name);
  return found == presets().end() ? nullptr : &*found;
}

Result<std::string> host_of(const Preset& preset, std::string_view region) {
  const Region& usual = preset.regions.front();
  if (usual.name == "*") return host_in_any_region(preset, region);
  if (region.empty()) return std::string(usual.host);
  std::vector<std::string_view> names;
  for (const auto& [name, host] : preset.regions) {
    if (name == region) return std::string(host);
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) return Error{fmt::format("the provider '{}' has no regions", preset.name)};
  return Error{
      fmt::format("unknown region '{}' of '{}': it has {}", region, preset.name, fmt::join(names, ", "))};
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Preset& preset : presets()) names.push_back(preset.name);
  return names;
}

}  // namespace relayd::route
