// Upstream: the effective settings of one upstream, after preset and defaults.
//
// Made by the router from the configuration, owned by it, read by send. Plain values; every question that a
// lane, a connection or `explain` has about where and how to send is answered here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "route/presets.hpp"
#include "shared/base/bytes.hpp"
#include "shared/config/config.hpp"

namespace relayd::route {

struct Limits {
  std::uint32_t connections = 10;         // of one credential
  std::uint32_t connections_total = 100;  // of the upstream
  std::uint32_t messages_per_connection = 1000;
  std::uint32_t recipients_per_message = 100;   // RFC 5321 4.5.3.1.8: what every server takes
  std::optional<Bytes> message_size;            // none: what EHLO SIZE says
  std::uint32_t recipients_per_connection = 0;  // 0: any number
  std::vector<config::Rate> rate;               // of one credential; none: as fast as it goes
  std::vector<config::Quota> quota;             // of one credential; none: no end
  std::vector<config::Quota> quota_total;       // of the upstream
  std::chrono::seconds idle{30};
};

struct Upstream {
  std::string name;
  std::string provider;                      // preset; empty: none
  std::string host;                          // empty for a sandbox
  std::vector<Endpoint> endpoints;           // tried in order; of `srv` one, whose port is 0: DNS names it
  bool mx = false;                           // `host` is a domain: mail goes to its MX hosts
  std::vector<smtp::TlsMode> services = {};  // of `srv`: the ways of submission to look up, in order
  config::TlsOptions tls_options;
  std::vector<sasl::Mechanism> mechanisms;  // in order of preference
  Limits limits;
  config::Pipelining pipelining = config::Pipelining::ahead;
  smtp::ReplyClasses retry_next_on;
  std::optional<std::string> sandbox_directory;  // given: keeps each message as a file, sends nothing
  const config::Upstream* settings = nullptr;    // what the file says
  const Provider* preset = nullptr;              // what the provider's preset says; null: none

  // `host` is a domain whose servers DNS names.
  bool by_dns() const { return mx || !services.empty(); }
  // The directory of a sandbox or a Maildir, where mail ends; null: it goes to a server.
  const std::string* kept_in() const;
  // Likewise at a unix socket.
  bool stays_here() const { return kept_in() || !settings->unix_path.empty(); }
  // What it takes has arrived (RFC 3461 5.2.3).
  bool is_last_hop() const { return settings->maildir || settings->protocol == config::Protocol::lmtp; }
};

// Lays the settings over the preset and both over the defaults. What is wrong is added to `errors` as text
// about this upstream; the result is then of no use.
Upstream effective_upstream(const config::Upstream& settings, std::vector<std::string>& errors);

}  // namespace relayd::route
