#include "route/upstream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/config/suggest.hpp"

namespace relayd::route {

namespace {

using sasl::Mechanism;
using smtp::ReplyClass;
using smtp::TlsMode;

// Strongest first. CRAM-MD5 is used when it is named, not by itself: it is broken and needs a stored
// password. So is EXTERNAL: it needs a client certificate.
const std::vector<Mechanism> default_mechanisms = {
    Mechanism::scram_sha_256_plus, Mechanism::scram_sha_256, Mechanism::scram_sha_1_plus,
    Mechanism::scram_sha_1,        Mechanism::plain,         Mechanism::login};
constexpr smtp::ReplyClasses default_retry_next_on = {ReplyClass::connect, ReplyClass::tls,
                                                      ReplyClass::auth,    ReplyClass::quota,
                                                      ReplyClass::rate,    ReplyClass::sender};

// As the preset has it; else RFC 8314 7.3, and the ports that providers use beside 465.
TlsMode usual_tls(std::uint16_t port, const Provider* preset) {
  if (preset) {
    const auto known = std::ranges::find(preset->endpoints, port, &Endpoint::port);
    if (known != preset->endpoints.end()) return known->tls;
  }
  const bool implicit = port == 465 || port == 2465 || port == 994;
  return implicit ? TlsMode::implicit : TlsMode::starttls;
}

std::uint16_t usual_port(TlsMode tls) {
  switch (tls) {
    case TlsMode::implicit:
      return 465;
    case TlsMode::none:
      return 25;
    case TlsMode::starttls:
      break;
  }
  return 587;
}

std::vector<Endpoint> endpoints_of(const config::Upstream& settings, const Provider* preset) {
  std::vector<Endpoint> endpoints;
  if (!settings.unix_path.empty()) return {{0, TlsMode::none}};
  for (const std::uint16_t port : settings.ports)
    endpoints.push_back({port, settings.tls.value_or(usual_tls(port, preset))});
  if (settings.mx && endpoints.empty()) {
    const TlsMode tls = settings.tls.value_or(TlsMode::starttls);
    return {{tls == TlsMode::implicit ? usual_port(tls) : std::uint16_t{25}, tls}};
  }
  if (endpoints.empty() && preset) {
    const auto wanted = [&settings](const Endpoint& e) { return !settings.tls || e.tls == *settings.tls; };
    std::copy_if(preset->endpoints.begin(), preset->endpoints.end(), std::back_inserter(endpoints), wanted);
  }
  const TlsMode tls = settings.tls.value_or(TlsMode::starttls);
  if (endpoints.empty()) endpoints.push_back({usual_port(tls), tls});
  return endpoints;
}

// RFC 8314 3: implicit TLS comes first.
std::vector<TlsMode> services_of(const config::Upstream& settings) {
  if (settings.tls) return {*settings.tls};
  return {TlsMode::implicit, TlsMode::starttls};
}

const std::vector<Mechanism>& mechanisms_of(const config::Upstream& settings, const Provider* preset) {
  if (!settings.auth.empty()) return settings.auth;
  return preset ? preset->mechanisms : default_mechanisms;
}

// The first that is given: by the file, by the preset, by ourselves.
template <class T>
T first_given(const std::optional<T>& file, const std::optional<T>& preset, T standard) {
  return file.value_or(preset.value_or(standard));
}

Limits limits_of(const config::UpstreamLimits& file, const config::UpstreamLimits& preset) {
  const Limits standard;
  Limits limits;
  limits.connections = first_given(file.connections, preset.connections, standard.connections);
  limits.connections_total =
      first_given(file.connections_total, preset.connections_total, standard.connections_total);
  limits.messages_per_connection = first_given(file.messages_per_connection, preset.messages_per_connection,
                                               standard.messages_per_connection);
  limits.recipients_per_message = first_given(file.recipients_per_message, preset.recipients_per_message,
                                              standard.recipients_per_message);
  limits.message_size = file.message_size ? file.message_size : preset.message_size;
  limits.recipients_per_connection = first_given(
      file.recipients_per_connection, preset.recipients_per_connection, standard.recipients_per_connection);
  limits.rate = first_given(file.rate, preset.rate, standard.rate);
  limits.quota = first_given(file.quota, preset.quota, standard.quota);
  limits.quota_total = first_given(file.quota_total, preset.quota_total, standard.quota_total);
  limits.idle = first_given(file.idle, preset.idle, standard.idle);
  return limits;
}

}  // namespace

const std::string* Upstream::kept_in() const {
  if (sandbox_directory) return &*sandbox_directory;
  return settings->maildir ? &settings->maildir->directory : nullptr;
}

Upstream effective_upstream(const config::Upstream& settings, std::vector<std::string>& errors) {
  Upstream upstream;
  upstream.name = settings.name;
  upstream.provider = settings.provider;
  upstream.settings = &settings;
  upstream.sandbox_directory = settings.sandbox_directory;
  upstream.preset = find_preset(settings.provider);
  upstream.tls_options = settings.tls_options;
  const Provider* const preset = upstream.preset;
  if (!preset && !settings.provider.empty())
    errors.push_back(fmt::format("unknown provider '{}'{}", settings.provider,
                                 config::suggestion(settings.provider, preset_names())));
  if (settings.host) {
    upstream.host = *settings.host;
  } else if (preset) {
    Result<std::string> host = host_of(*preset, settings.region);
    if (host)
      upstream.host = std::move(*host);
    else
      errors.push_back(host.error());
  }
  const bool is_kept = upstream.kept_in() != nullptr;
  const bool nowhere = upstream.host.empty() && !is_kept && errors.empty();
  if (nowhere) errors.push_back("it has neither provider, host, maildir nor sandbox");
  upstream.mx = settings.mx;
  if (settings.srv) {
    upstream.services = services_of(settings);
    upstream.endpoints = {{0, upstream.services.front()}};
  } else if (!is_kept) {
    upstream.endpoints = endpoints_of(settings, preset);
  }
  upstream.mechanisms = mechanisms_of(settings, preset);
  upstream.limits = limits_of(settings.limits, preset ? preset->limits : config::UpstreamLimits{});
  if (settings
          .maildir)  // a file for each recipient, one behind the other: a disk that hangs holds one thread
    upstream.limits.connections = upstream.limits.recipients_per_message = 1;
  const bool lmtp = settings.protocol == config::Protocol::lmtp;
  upstream.pipelining = first_given(settings.pipelining, preset ? preset->pipelining : std::nullopt,
                                    lmtp ? config::Pipelining::transaction : config::Pipelining::ahead);
  upstream.retry_next_on = settings.retry_next_on.value_or(default_retry_next_on);
  return upstream;
}

}  // namespace relayd::route
