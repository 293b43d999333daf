// The keys of upstreams.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/config/keys.hpp"
#include "shared/config/pin.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"
#include "shared/proxy/proxy.hpp"

namespace relayd::config {

namespace {

void read_verify(Reader& reader, const Node& node, TlsOptions& options) {
  static constexpr Word<bool> words[] = {{"full", true}, {"none", false}};
  read_word(reader, node, words, options.verify);
}

void read_pins(Reader& reader, const Node& node, TlsOptions& options) {
  const auto add = [&](const Node& item) {
    const std::optional<std::string> text = reader.text(item, "a pin");
    if (!text) return;
    Result<std::string> pin = parse_pin(*text);
    if (pin)
      options.pins.push_back(std::move(*pin));
    else
      reader.error(item.place, pin.error());
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

// A host, or "unix:PATH", the socket of a server on this machine.
void read_host(Reader& reader, const Node& node, Upstream& out) {
  const std::optional<std::string> text = reader.text(node, "a text");
  if (!text) return;
  const bool is_socket = text->starts_with("unix:");
  std::string path;
  if (is_socket) {
    Result<Endpoint> endpoint = parse_endpoint(*text);
    if (!endpoint) return reader.error(node.place, endpoint.error());
    path = std::move(endpoint->unix_path);
    if (!path.starts_with('/'))
      return reader.error(node.place, fmt::format("write the whole path of the socket: unix:/{}", path));
  }
  Result<std::string> host = is_socket ? Result<std::string>(*text) : parse_host(*text);
  if (!host) return reader.error(node.place, host.error());
  out.host = std::move(*host);
  out.unix_path = std::move(path);
}

// It may hold a password.
void read_proxy(Reader& reader, const Node& node, Upstream& out) {
  const std::optional<std::string> text = reader.text(node, "a text");
  if (!text) return;
  const Result<proxy::Proxy> proxy = proxy::parse_proxy(*text);
  if (!proxy) return reader.error(node.place, proxy.error());
  if (!proxy->username.empty()) reader.literal_secret(node);
  out.proxy = *text;
}

}  // namespace

static constexpr auto words_of(TlsVersion) {
  return std::to_array<Word<TlsVersion>>({{"1.2", TlsVersion::tls1_2}, {"1.3", TlsVersion::tls1_3}});
}

static void read(Reader& reader, const Node& node, sasl::Mechanism& out) {
  std::string text;
  read(reader, node, text);
  if (text.empty()) return;
  const std::string name = lower_case(text);
  std::vector<std::string_view> known;
  for (const auto& [word, mechanism] : words_of(out)) known.push_back(word);
  const auto mechanism = sasl::find_mechanism(name);
  if (mechanism)
    out = *mechanism;
  else
    reader.error(node.place, fmt::format("unknown mechanism '{}'{}", text, suggestion(name, known)));
}

static void read(Reader& reader, const Node& node, smtp::ReplyClass& out) {
  std::string text;
  read(reader, node, text);
  if (text.empty()) return;
  const auto reply_class = find_word<smtp::ReplyClass>(text);
  std::vector<std::string_view> known;
  for (const auto& [word, value] : words_of(out))
    if (value != smtp::ReplyClass::none && !smtp::refusals.has(value)) known.push_back(word);
  if (reply_class && smtp::refusals.has(*reply_class))
    reader.error(node.place, fmt::format("'{}' never moves a message on: the next upstream would be asked to "
                                         "send what this one rightly refused",
                                         text));
  else if (std::ranges::find(known, text) != known.end())
    out = *reply_class;
  else
    reader.error(node.place, fmt::format("unknown reply class '{}'{}", text, suggestion(text, known)));
}

static void read(Reader& reader, const Node& node, smtp::ReplyClasses& out) {
  std::vector<smtp::ReplyClass> classes;
  read(reader, node, classes);
  for (const smtp::ReplyClass one : classes) out.insert(one);
}

static const Keys<Maildir>& keys_of(const Maildir*) {
  static const Keys<Maildir> keys = {path("directory", &Maildir::directory)};
  return keys;
}

const Keys<TlsOptions>& keys_of(const TlsOptions*) {
  static const Keys<TlsOptions> keys = {
      {"verify", read_verify},
      file("ca_file", &TlsOptions::ca_file),
      text("name", &TlsOptions::name, parse_host),
      key("min_version", &TlsOptions::min_version),
      {"pin_sha256", read_pins},
      file("client_certificate", &TlsOptions::client_certificate),
      private_key("client_key", &TlsOptions::client_key),
  };
  return keys;
}

const Keys<UpstreamLimits>& keys_of(const UpstreamLimits*) {
  static const Keys<UpstreamLimits> keys = {
      key("connections", &UpstreamLimits::connections),
      key("connections_total", &UpstreamLimits::connections_total),
      key("messages_per_connection", &UpstreamLimits::messages_per_connection),
      key("recipients_per_connection", &UpstreamLimits::recipients_per_connection),
      key("recipients_per_message", &UpstreamLimits::recipients_per_message),
      key("message_size", &UpstreamLimits::message_size),
      key("rate", &UpstreamLimits::rate),
      key("quota", &UpstreamLimits::quota),
      key("quota_total", &UpstreamLimits::quota_total),
      key("idle", &UpstreamLimits::idle),
  };
  return keys;
}

const Keys<Upstream>& keys_of(const Upstream*) {
  static const Keys<Upstream> keys = {
      key("provider", &Upstream::provider),
      key("region", &Upstream::region),
      {"host", read_host},
      key("protocol", &Upstream::protocol),
      {"proxy", read_proxy},
      key("port", &Upstream::ports),
      key("mx", &Upstream::mx),
      key("srv", &Upstream::srv),
      key("tls", &Upstream::tls),
      key("tls_options", &Upstream::tls_options),
      key("auth", &Upstream::auth),
      key("username", &Upstream::username),
      key("password", &Upstream::password),
      key("next_password", &Upstream::next_password),
      key("oauth2", &Upstream::oauth2),
      key("limits", &Upstream::limits),
      key("pipelining", &Upstream::pipelining),
      key("retry_next_on", &Upstream::retry_next_on),
      change<Upstream>("rewrite", &Changes::rewrite),
      key("maildir", &Upstream::maildir),
      group<Upstream>("sandbox", {path("directory", &Upstream::sandbox_directory)}),
      headers_key<Upstream>(),
  };
  return keys;
}

}  // namespace relayd::config
