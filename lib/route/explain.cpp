#include "route/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "route/oauth2.hpp"
#include "shared/dns/mail_hosts.hpp"
#include "shared/proxy/proxy.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::route {

std::string place(const config::Config& config, std::string_view file, config::Location where) {
  if (file.empty()) file = config.file;
  return where.line == 0 ? std::string(file) : fmt::format("{}:{}", file, where.line);
}

namespace {

using Out = std::back_insert_iterator<std::string>;

std::string_view origin(bool in_file, bool in_preset) {
  if (in_file) return "from file";
  return in_preset ? "from preset" : "default";
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
  if (!upstream.services.empty()) return "as DNS names them";
  for (const auto& [port, tls] : upstream.endpoints)
    fmt::format_to(Out(text), "{}{} {}", text.empty() ? "" : ", ", port, to_string(tls));
  return text;
}

std::string tls_text(const Upstream& upstream) {
  const config::TlsOptions& tls = upstream.tls_options;
  std::string text = "certificate is not verified";
  const std::string host = upstream.by_dns() ? "the host that DNS names" : upstream.host;
  if (tls.verify) text = fmt::format("certificate must be valid for {}", tls.name.empty() ? host : tls.name);
  if (!tls.pins.empty()) text += ", its key pinned";
  if (!tls.client_certificate.empty()) text += fmt::format(", we show {}", tls.client_certificate);
  return text;
}

std::string lookup_text(const Upstream& upstream) {
  if (upstream.mx) return fmt::format("its MX hosts, by the records of {}", upstream.host);
  std::string services;
  for (const smtp::TlsMode mode : upstream.services)
    fmt::format_to(Out(services), "{}{}", services.empty() ? "" : ", then ",
                   dns::submission_service(mode == smtp::TlsMode::implicit, upstream.host));
  return fmt::format("by the SRV records of {}", services);
}

void explain_server(std::string& text, const Upstream& upstream) {
  const config::Upstream& file = *upstream.settings;
  const bool preset = upstream.preset != nullptr;
  line(text, "host", upstream.host, origin(file.host.has_value(), preset));
  if (upstream.by_dns()) line(text, "hosts", lookup_text(upstream), "from file");
  const bool is_socket = !file.unix_path.empty();
  if (file.protocol == config::Protocol::lmtp) line(text, "protocol", "lmtp", "from file");
  if (!is_socket)
    line(text, "ports", endpoints_text(upstream), origin(!file.ports.empty() || file.tls, preset));
  if (!file.proxy.empty()) line(text, "proxy", shown(proxy::parse_proxy(file.proxy).value()), "from file");
  line(text, "pipelining", to_string(upstream.pipelining),
       origin(file.pipelining.has_value(), preset && upstream.preset->pipelining));
  if (!is_socket) line(text, "tls", tls_text(upstream));
}

void explain_oauth2(std::string& text, const Choice& choice, const config::Config& config,
                    std::string_view sender) {
  const config::OAuth2& oauth2 = *choice.oauth2;
  const std::string_view user = user_of(choice, sender);
  line(text, "username", user.empty() ? "none" : smtp::escape(user),
       choice.is_of_sender() ? "the sender" : place(config, choice.file, choice.where));
  line(text, "oauth2", grant_text(oauth2), place(config, choice.file, oauth2.where));
  if (oauth2.client_secret.given()) line(text, "secret", source_of(oauth2.client_secret, choice.file));
  if (!oauth2.client_certificate.empty()) line(text, "shows", oauth2.client_certificate);
  if (!oauth2.key_file.empty()) line(text, "key", oauth2.key_file);
  if (!oauth2.token_command.empty()) line(text, "command", oauth2.token_command.front());
  const bool in_preset =
      choice.upstream->preset && std::ranges::any_of(choice.upstream->preset->mechanisms, sasl::takes_token);
  line(text, "auth", to_string(mechanisms_of(choice)),
       origin(!choice.upstream->settings->auth.empty(), in_preset));
}

void explain_account(std::string& text, const Choice& choice, const config::Config& config,
                     std::string_view sender) {
  if (!choice.login) return line(text, "account", "none: no login");
  if (choice.oauth2) return explain_oauth2(text, choice, config, sender);
  line(text, "username", choice.username.empty() ? "none" : choice.username,
       place(config, choice.file, choice.where));
  line(text, "password",
       choice.password ? source_of(*choice.password, choice.file) : "none: by client certificate");
  if (choice.next_password) line(text, "or", source_of(*choice.next_password, choice.file));
  line(text, "auth", to_string(mechanisms_of(choice)),
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

void explain_choice(std::string& text, const Choice& choice, const config::Config& config,
                    std::string_view sender) {
  const Upstream& upstream = *choice.upstream;
  if (upstream.sandbox_directory)
    return line(text, "sandbox",
                fmt::format("keeps messages in {}, sends nothing", *upstream.sandbox_directory));
  if (const auto& maildir = upstream.settings->maildir)
    return line(text, "maildir", fmt::format("keeps messages in {}", maildir->directory));
  explain_server(text, upstream);
  explain_account(text, choice, config, sender);
  explain_limits(text, upstream);
}

}  // namespace

void line(std::string& text, std::string_view key, std::string_view value, std::string_view from) {
  fmt::format_to(Out(text), "   {:<10} {}{}\n", key, value, from.empty() ? "" : fmt::format("  ({})", from));
}

namespace {

void explain_conditions(std::string& text, const config::RuleConditions& conditions) {
  if (!conditions.account.empty()) line(text, "account", smtp::escape(conditions.account));
  for (const config::Network& network : conditions.clients) line(text, "client", network.text());
  for (const std::uint32_t uid : conditions.uids) line(text, "client", fmt::format("uid:{}", uid));
  if (!conditions.listener.empty()) line(text, "listener", smtp::escape(conditions.listener));
  for (const config::HeaderField& field : conditions.headers)
    line(text, "header", fmt::format("{}: {}", field.name, smtp::escape(field.value)));
}

// Which of them a message begins at depends on its id.
void explain_shares(std::string& text, const Route& route) {
  for (std::size_t i = 0; i < route.weights.size(); ++i)
    line(text, "share",
         fmt::format("{} of {} at {}", route.weights[i],
                     std::accumulate(route.weights.begin(), route.weights.end(), std::uint64_t{0}),
                     route.rule->upstreams[i].name));
  if (!route.weights.empty()) line(text, "share", "by the message's id; the others follow in this order");
}

std::string table_text(const Router& router, const Route& route, std::string_view sender) {
  const SendersRow row = router.row_of(sender).value_or(SendersRow());
  const config::Location where{static_cast<int>(row.line), 0};
  std::string text = fmt::format("rule       table '{}', key \"{}\" ({})\n", router.config().senders_table,
                                 smtp::escape(row.key), place(router.config(), route.rule->file, where));
  if (route.choices.empty()) line(text, "waits", smtp::escape(router.trouble_of(sender)));
  return text;
}

std::string explain_route(const Router& router, const Route& route, std::string_view sender) {
  const config::Config& config = router.config();
  if (!route.rule) return "rule       none matches: the message is refused\n";
  std::string text = fmt::format("rule       \"{}\" ({})\n", route.rule->match,
                                 place(config, route.rule->file, route.rule->where));
  if (route.by_table) text = table_text(router, route, sender);
  explain_conditions(text, route.rule->conditions);
  if (!route.reject.empty()) return text += fmt::format("reject     {}\n", route.reject);
  explain_shares(text, route);
  int number = 0;
  for (const Choice& choice : route.choices) {
    const Upstream& upstream = *choice.upstream;
    const std::string provider =
        upstream.provider.empty() ? "" : fmt::format("  (provider {})", upstream.provider);
    fmt::format_to(Out(text), "{}. {}{}\n", ++number, upstream.name, provider);
    explain_choice(text, choice, config, sender);
    const bool last = &choice == &route.choices.back();
    if (!last) line(text, "moves on", fmt::format("after {}", to_string(upstream.retry_next_on)));
  }
  return text;
}

}  // namespace

std::string explain(const Router& router, const Mail& mail, std::span<const std::string> recipients) {
  const std::string_view sender = mail.sender.value_or("");
  std::string text = fmt::format("sender     {}\n", sender.empty() ? "<>" : smtp::escape(sender));
  if (!router.asks_recipients()) return text += explain_route(router, router.route(mail), sender);
  struct Group {
    Route route;
    std::string recipients;
  };
  std::vector<Group> groups;
  Mail each = mail;
  for (const std::string& recipient : recipients) {
    each.recipient = recipient;
    const Route route = router.route(each);
    const auto same = std::ranges::find_if(groups, [&route](const Group& group) {
      return group.route.way == route.way && group.route.rule == route.rule;
    });
    if (same == groups.end())
      groups.push_back({route, smtp::escape(recipient)});
    else
      same->recipients += ", " + smtp::escape(recipient);
  }
  each.recipient = "";
  if (recipients.empty()) groups.push_back({router.route(each), "whom no rule of 'recipients' is for"});
  for (const Group& group : groups)
    text += fmt::format("for        {}\n", group.recipients) + explain_route(router, group.route, sender);
  return text;
}

}  // namespace relayd::route
