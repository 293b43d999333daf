#include "route/explain.hpp"

#include <fmt/format.h>

#include <iterator>

#include "shared/smtp/reply.hpp"

namespace relayd::route {

namespace {

using Out = std::back_insert_iterator<std::string>;

std::string_view origin(bool in_file, bool in_preset) {
  if (in_file) return "from file";
  return in_preset ? "from preset" : "default";
}

// `file` is empty for the configuration.
std::string place(const config::Config& config, std::string_view file, config::Location where) {
  if (file.empty()) file = config.file;
  return where.line == 0 ? std::string(file) : fmt::format("{}:{}", file, where.line);
}

// `file`: where the account stands, as of a Choice.
std::string source_of(const config::SecretSource& secret, std::string_view file) {
  switch (secret.kind) {
    case config::SecretSource::Kind::file:
      return fmt::format("file {}", secret.name);
    case config::SecretSource::Kind::environment:
      return fmt::format("environment variable {}", secret.name);
    case config::SecretSource::Kind::command:
      return fmt::format("command {}", secret.command.empty() ? "" : secret.command.front());
    case config::SecretSource::Kind::literal:
      return file.empty() ? "in the configuration" : fmt::format("in {}", file);
    case config::SecretSource::Kind::none:
      break;
  }
  return "none";
}

std::string endpoints_text(const Upstream& upstream) {
  std::string text;
  for (const auto& [port, tls] : upstream.endpoints)
    fmt::format_to(Out(text), "{}{} {}", text.empty() ? "" : ", ", port, to_string(tls));
  return text;
}

std::string tls_text(const Upstream& upstream) {
  const config::TlsOptions& tls = upstream.tls_options;
  std::string text = "certificate is not verified";
  if (tls.verify)
    text = fmt::format("certificate must be valid for {}", tls.name.empty() ? upstream.host : tls.name);
  if (!tls.pins.empty()) text += ", its key pinned";
  if (!tls.client_certificate.empty()) text += fmt::format(", we show {}", tls.client_certificate);
  return text;
}

void explain_server(std::string& text, const Upstream& upstream) {
  const config::Upstream& file = *upstream.settings;
  const bool preset = upstream.preset != nullptr;
  line(text, "host", upstream.host, origin(file.host.has_value(), preset));
  line(text, "ports", endpoints_text(upstream), origin(!file.ports.empty() || file.tls, preset));
  line(text, "pipelining", to_string(upstream.pipelining),
       origin(file.pipelining.has_value(), preset && upstream.preset->pipelining));
  line(text, "tls", tls_text(upstream));
}

void explain_account(std::string& text, const Choice& choice, const config::Config& config) {
  if (!choice.login) return line(text, "account", "none: no login");
  line(text, "username", choice.username.empty() ? "none" : choice.username,
       place(config, choice.file, choice.where));
  line(text, "password",
       choice.password ? source_of(*choice.password, choice.file) : "none: by client certificate");
  if (choice.next_password) line(text, "or", source_of(*choice.next_password, choice.file));
  line(text, "auth", to_string(choice.upstream->mechanisms),
       origin(!choice.upstream->settings->auth.empty(), choice.upstream->preset));
}

void explain_limits(std::string& text, const Upstream& upstream) {
  static const config::UpstreamLimits nothing;
  const config::UpstreamLimits& file = upstream.settings->limits;
  const config::UpstreamLimits& preset = upstream.preset ? upstream.preset->limits : nothing;
  const Limits& limits = upstream.limits;
  const auto limit = [&text](std::string_view key, const auto& value, bool in_file, bool in_preset) {
    line(text, "limit", fmt::format("{} {}", key, value), origin(in_file, in_preset));
  };
  const auto count = [&](std::string_view key, std::uint32_t value, auto member) {
    limit(key, value, (file.*member).has_value(), (preset.*member).has_value());
  };
  count("connections", limits.connections, &config::UpstreamLimits::connections);
  count("connections_total", limits.connections_total, &config::UpstreamLimits::connections_total);
  count("messages_per_connection", limits.messages_per_connection,
        &config::UpstreamLimits::messages_per_connection);
  limit("recipients_per_connection",
        limits.recipients_per_connection == 0 ? "any number"
                                              : fmt::format("{}", limits.recipients_per_connection),
        file.recipients_per_connection.has_value(), preset.recipients_per_connection.has_value());
  count("recipients_per_message", limits.recipients_per_message,
        &config::UpstreamLimits::recipients_per_message);
  const auto list = [&](std::string_view key, const auto& values, auto member) {
    limit(key, config::to_string(values), (file.*member).has_value(), (preset.*member).has_value());
  };
  list("rate", limits.rate, &config::UpstreamLimits::rate);
  list("quota", limits.quota, &config::UpstreamLimits::quota);
  list("quota_total", limits.quota_total, &config::UpstreamLimits::quota_total);
  limit("idle", fmt::format("{}s", limits.idle.count()), file.idle.has_value(), preset.idle.has_value());
  if (limits.message_size)
    limit("message_size", fmt::format("{} octets", limits.message_size->count), file.message_size.has_value(),
          true);
  else
    line(text, "limit", "message_size", "what the server says");
}

void explain_choice(std::string& text, const Choice& choice, const config::Config& config) {
  const Upstream& upstream = *choice.upstream;
  if (upstream.sandbox_directory)
    return line(text, "sandbox",
                fmt::format("keeps messages in {}, sends nothing", *upstream.sandbox_directory));
  explain_server(text, upstream);
  explain_account(text, choice, config);
  explain_limits(text, upstream);
}

}  // namespace

void line(std::string& text, std::string_view key, std::string_view value, std::string_view from) {
  fmt::format_to(Out(text), "   {:<10} {}{}\n", key, value, from.empty() ? "" : fmt::format("  ({})", from));
}

std::string explain(const Router& router, std::string_view sender) {
  const config::Config& config = router.config();
  const Route route = router.route(sender);
  std::string text = fmt::format("sender     {}\n", sender.empty() ? "<>" : smtp::escape(sender));
  if (!route.rule) return text += "rule       none matches: the message is refused\n";
  fmt::format_to(Out(text), "rule       \"{}\" ({})\n", route.rule->match,
                 place(config, route.rule->file, route.rule->where));
  if (!route.reject.empty()) return text += fmt::format("reject     {}\n", route.reject);
  int number = 0;
  for (const Choice& choice : route.choices) {
    const Upstream& upstream = *choice.upstream;
    const std::string provider =
        upstream.provider.empty() ? "" : fmt::format("  (provider {})", upstream.provider);
    fmt::format_to(Out(text), "{}. {}{}\n", ++number, upstream.name, provider);
    explain_choice(text, choice, config);
    const bool last = &choice == &route.choices.back();
    if (!last) line(text, "moves on", fmt::format("after {}", to_string(upstream.retry_next_on)));
  }
  return text;
}

}  // namespace relayd::route
