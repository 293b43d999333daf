// Every key of the configuration: one row each, in the order of config.example.yaml. A key that is one field
// is `key`, a name that is only kept free `reserved`; a row with a function of its own is for the rest.
#include "shared/config/keys.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "shared/config/pin.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {
namespace {

// A path: relative ones start at the configuration's folder.
template <class T, class M>
Key<T> path(std::string_view name, M T::*field) {
  return {name, [field](Reader& reader, const Node& node, T& out) {
            if (std::optional<std::string> path = reader.path(node)) out.*field = std::move(*path);
          }};
}

// The path of a file that must be there when the configuration is loaded.
template <class T>
Key<T> file(std::string_view name, std::string T::*field) {
  return {name, [field](Reader& reader, const Node& node, T& out) {
            std::optional<std::string> path = reader.path(node);
            if (!path) return;
            reader.require_readable(node, *path);
            out.*field = std::move(*path);
          }};
}

// Keys one level down in the file that are fields of the same struct.
template <class T>
Key<T> group(std::string_view name, Keys<T> keys) {
  std::vector<KeyRow> below = rows(keys, "");
  return {name,
          [keys = std::move(keys)](Reader& reader, const Node& node, T& out) {
            read_keys(reader, node, keys, out);
          },
          std::move(below)};
}

// A text that must have a form; `parse` checks it and may normalise it.
template <class T, class M>
Key<T> text(std::string_view name, M T::*field, Result<std::string> (*parse)(std::string_view)) {
  return {name, [field, parse](Reader& reader, const Node& node, T& out) {
            const std::optional<std::string> text = reader.text(node, "a text");
            if (!text) return;
            Result<std::string> value = parse(*text);
            if (value)
              out.*field = std::move(*value);
            else
              reader.error(node.place, value.error());
          }};
}

Result<std::string> parse_hostname(std::string_view name) {
  if (!is_domain(name)) return Error{fmt::format("'{}' is not a host name", name)};
  if (lower_case(name) == "localhost")
    return Error{"'localhost' names every machine: write this one's full name"};
  return std::string(name);
}

Result<std::string> parse_origin(std::string_view domain) {
  if (!is_domain(domain)) return Error{fmt::format("'{}' is not a domain", domain)};
  return std::string(domain);
}

void read_endpoint(Reader& reader, const Node& node, Listener& listener) {
  const std::optional<std::string> text = reader.text(node, "an address");
  if (!text) return;
  Result<Endpoint> endpoint = parse_endpoint(*text);
  if (!endpoint) {
    reader.error(node.place, endpoint.error());
    return;
  }
  listener.address = *text;
  listener.host = std::move(endpoint->host);
  listener.port = endpoint->port;
  listener.unix_path = std::move(endpoint->unix_path);
  listener.inherited = std::move(endpoint->inherited);
}

// Networks, and "uid:1000" for a client of a unix socket.
void read_allow(Reader& reader, const Node& node, Listener& listener) {
  constexpr std::string_view uid = "uid:";
  const auto add = [&](const Node& item) {
    if (!item.text.starts_with(uid)) {
      Network network;
      read(reader, item, network);
      listener.allow.push_back(network);
    } else if (const auto number = parse_number(std::string_view(item.text).substr(uid.size()))) {
      listener.allow_uids.push_back(*number);
    } else {
      reader.error(item.place, number.error());
    }
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

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

void read_pattern_list(Reader& reader, const Node& node, Account& account) {
  read(reader, node, account.may_send_as);
  const auto check = [&reader](const Node& item) {
    const Result<std::string> pattern = parse_pattern(item.text);
    if (item.kind == Node::Kind::scalar && !pattern) reader.error(item.place, pattern.error());
  };
  check(node);
  for (const Node& item : node.items) check(item);
}

}  // namespace

// --- words ------------------------------------------------------------------------------------------------

static constexpr auto words_of(ListenerAuth) {
  return std::to_array<Word<ListenerAuth>>({{"none", ListenerAuth::none},
                                            {"optional", ListenerAuth::optional},
                                            {"required", ListenerAuth::required},
                                            {"accept-any", ListenerAuth::accept_any}});
}

static constexpr auto words_of(Limits::BareNewlines) {
  using enum Limits::BareNewlines;
  return std::to_array<Word<Limits::BareNewlines>>({{"normalise", normalise}, {"reject", reject}});
}

static constexpr auto words_of(Queue::InDoubt) {
  using enum Queue::InDoubt;
  return std::to_array<Word<Queue::InDoubt>>({{"retry", retry}, {"hold", hold}});
}

static constexpr auto words_of(TlsVersion) {
  return std::to_array<Word<TlsVersion>>({{"1.2", TlsVersion::tls1_2}, {"1.3", TlsVersion::tls1_3}});
}

static constexpr auto words_of(LogFormat) {
  return std::to_array<Word<LogFormat>>(
      {{"auto", LogFormat::automatic}, {"text", LogFormat::text}, {"json", LogFormat::json}});
}

static constexpr auto words_of(LogLevel) {
  return std::to_array<Word<LogLevel>>({{"debug", LogLevel::debug},
                                        {"info", LogLevel::info},
                                        {"warning", LogLevel::warning},
                                        {"error", LogLevel::error}});
}

static constexpr auto words_of(LogAddresses) {
  return std::to_array<Word<LogAddresses>>({{"full", LogAddresses::full}, {"masked", LogAddresses::masked}});
}

static constexpr auto words_of(AccessVerdict) {
  return std::to_array<Word<AccessVerdict>>({{"accept", AccessVerdict::accept},
                                             {"reject", AccessVerdict::reject},
                                             {"discard", AccessVerdict::discard},
                                             {"hold", AccessVerdict::hold}});
}

// --- lists of words ---------------------------------------------------------------------------------------

static void read(Reader& reader, const Node& node, sasl::Mechanism& out) {
  std::string text;
  read(reader, node, text);
  if (text.empty()) return;
  const std::string name = lower_case(text);
  std::vector<std::string_view> known;
  for (const auto& [word, mechanism] : words_of(out)) known.push_back(word);
  if (const auto mechanism = sasl::find_mechanism(name))
    out = *mechanism;
  else if (name == "xoauth2" || name == "oauthbearer")
    reader.error(node.place, fmt::format("the mechanism '{}' is not supported yet", text));
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

// --- keys -------------------------------------------------------------------------------------------------

static const Keys<SecretSource>& keys_of(const SecretSource*) {
  using Kind = SecretSource::Kind;
  static const Keys<SecretSource> keys = {
      {"file",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::file;
         file("file", &SecretSource::name).read(reader, node, out);
       }},
      {"env",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::environment;
         read(reader, node, out.name);
         if (!out.name.empty() && !reader.is_set(out.name))
           reader.error(node.place, fmt::format("the variable {} is not set", out.name));
       }},
      {"command",
       [](Reader& reader, const Node& node, SecretSource& out) {
         out.kind = Kind::command;
         read(reader, node, out.command);
         if (out.command.empty()) reader.error(node.place, "expected a command, found an empty list");
       }},
  };
  return keys;
}

// A secret is a plain text, or a map with one way to get it.
void read(Reader& reader, const Node& node, SecretSource& out) {
  out.where = node.place.where;
  if (node.kind == Node::Kind::map) {
    read_keys(reader, node, keys_of(&out), out);
    if (node.entries.size() != 1) reader.error(node.place, "a secret has one of file, env and command");
    return;
  }
  std::optional<std::string> text = reader.text(node, "a secret (a text, or one of file, env and command)");
  if (!text) return;
  reader.literal_secret(node);
  out.kind = SecretSource::Kind::literal;
  out.literal = Secret(std::move(*text));
}

static const Keys<Listener>& keys_of(const Listener*) {
  static const Keys<Listener> keys = {
      {"address", read_endpoint}, key("tls", &Listener::tls),           key("auth", &Listener::auth),
      {"allow", read_allow},      reserved<Listener>("proxy_protocol"),
  };
  return keys;
}

static const Keys<Certificate>& keys_of(const Certificate*) {
  static const Keys<Certificate> keys = {
      file("certificate", &Certificate::certificate),
      file("key", &Certificate::key),
  };
  return keys;
}

static const Keys<Account>& keys_of(const Account*) {
  static const Keys<Account> keys = {
      key("name", &Account::name),        key("password", &Account::password),
      reserved<Account>("next_password"), key("scram_sha_256", &Account::scram_sha_256),
      {"may_send_as", read_pattern_list}, key("may_send_as_header", &Account::may_send_as_header),
  };
  return keys;
}

// A map from patterns to verdicts.
static void read(Reader& reader, const Node& node, std::vector<AccessRule>& out) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    AccessRule& rule = out.emplace_back();
    Result<std::string> pattern = parse_pattern(entry.key);
    if (pattern)
      rule.match = std::move(*pattern);
    else
      reader.error(entry.place, pattern.error());
    read(reader, entry.value, rule.verdict);
  }
}

static const Keys<Access>& keys_of(const Access*) {
  static const Keys<Access> keys = {
      key("senders", &Access::senders),
      key("recipients", &Access::recipients),
  };
  return keys;
}

static const Keys<Limits>& keys_of(const Limits*) {
  static const Keys<Limits> keys = {
      key("message_size", &Limits::message_size),
      key("header_size", &Limits::header_size),
      key("header_fields", &Limits::header_fields),
      key("recipients", &Limits::recipients),
      key("connections", &Limits::connections),
      key("connections_per_client", &Limits::connections_per_client),
      key("command_timeout", &Limits::command_timeout),
      key("data_timeout", &Limits::data_timeout),
      key("bare_newlines", &Limits::bare_newlines),
  };
  return keys;
}

static const Keys<Retry>& keys_of(const Retry*) {
  static const Keys<Retry> keys = {
      key("first", &Retry::first),
      key("factor", &Retry::factor),
      key("maximum", &Retry::maximum),
      key("jitter", &Retry::jitter),
  };
  return keys;
}

static const Keys<Queue>& keys_of(const Queue*) {
  static const Keys<Queue> keys = {
      path("directory", &Queue::directory),
      key("lifetime", &Queue::lifetime),
      key("retry", &Queue::retry),
      key("reserve", &Queue::reserve),
      key("keep_failed", &Queue::keep_failed),
      key("require_persistent", &Queue::require_persistent),
      key("in_doubt", &Queue::in_doubt),
      path("drop", &Queue::drop),
  };
  return keys;
}

static const Keys<TlsOptions>& keys_of(const TlsOptions*) {
  static const Keys<TlsOptions> keys = {
      {"verify", read_verify},
      file("ca_file", &TlsOptions::ca_file),
      text("name", &TlsOptions::name, parse_host),
      key("min_version", &TlsOptions::min_version),
      {"pin_sha256", read_pins},
      file("client_certificate", &TlsOptions::client_certificate),
      file("client_key", &TlsOptions::client_key),
  };
  return keys;
}

static const Keys<UpstreamLimits>& keys_of(const UpstreamLimits*) {
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

static const Keys<Upstream>& keys_of(const Upstream*) {
  static const Keys<Upstream> keys = {
      key("provider", &Upstream::provider),
      key("region", &Upstream::region),
      text("host", &Upstream::host, parse_host),
      key("port", &Upstream::ports),
      reserved<Upstream>("mx"),
      key("tls", &Upstream::tls),
      key("tls_options", &Upstream::tls_options),
      key("auth", &Upstream::auth),
      key("username", &Upstream::username),
      key("password", &Upstream::password),
      key("next_password", &Upstream::next_password),
      reserved<Upstream>("oauth2"),
      key("limits", &Upstream::limits),
      key("pipelining", &Upstream::pipelining),
      key("retry_next_on", &Upstream::retry_next_on),
      group<Upstream>("sandbox", {path("directory", &Upstream::sandbox_directory)}),
  };
  return keys;
}

static const Keys<RuleUpstream>& keys_of(const RuleUpstream*) {
  static const Keys<RuleUpstream> keys = {
      key("name", &RuleUpstream::name),
      key("username", &RuleUpstream::username),
      key("password", &RuleUpstream::password),
      key("next_password", &RuleUpstream::next_password),
  };
  return keys;
}

// A name, an upstream with an account of its own, or a list of both.
static void read_rule_upstreams(Reader& reader, const Node& node, SenderRule& rule) {
  const auto add = [&](const Node& item) {
    RuleUpstream& upstream = rule.upstreams.emplace_back();
    if (item.kind == Node::Kind::map) return read(reader, item, upstream);
    upstream.where = item.place.where;
    read(reader, item, upstream.name);
  };
  rule.upstreams.clear();
  if (node.kind == Node::Kind::scalar || node.kind == Node::Kind::map) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

static const Keys<SenderRule>& keys_of(const SenderRule*) {
  static const Keys<SenderRule> keys = {
      key("match", &SenderRule::match),
      {"upstream", read_rule_upstreams, rows(keys_of(static_cast<const RuleUpstream*>(nullptr)), "*.")},
      key("username", &SenderRule::username),
      key("password", &SenderRule::password),
      key("next_password", &SenderRule::next_password),
      text("reject", &SenderRule::reject, parse_reject),
  };
  return keys;
}

static const Keys<Log>& keys_of(const Log*) {
  static const Keys<Log> keys = {
      key("format", &Log::format),
      key("level", &Log::level),
      key("addresses", &Log::addresses),
  };
  return keys;
}

static Key<Config> upstreams_key() {
  return {"upstreams",
          [](Reader& reader, const Node& node, Config& out) { read_named(reader, node, out.upstreams); },
          rows(keys_of(static_cast<const Upstream*>(nullptr)), "*.")};
}

static const Keys<Admin>& keys_of(const Admin*) {
  static const Keys<Admin> keys = {path("socket", &Admin::socket)};
  return keys;
}

static const Keys<Config>& keys_of(const Config*) {
  static const Keys<Config> keys = {
      text("hostname", &Config::hostname, parse_hostname),
      text("origin", &Config::origin, parse_origin),
      key("listen", &Config::listeners),
      group<Config>("tls", {key("certificates", &Config::certificates)}),
      key("accounts", &Config::accounts),
      key("access", &Config::access),
      key("limits", &Config::limits),
      key("queue", &Config::queue),
      upstreams_key(),
      key("senders", &Config::senders),
      reserved<Config>("senders_file"),
      reserved<Config>("bounce"),
      key("log", &Config::log),
      key("admin", &Config::admin),
      reserved<Config>("http"),
      reserved<Config>("aliases"),
      reserved<Config>("rewrite"),
      reserved<Config>("headers"),
      reserved<Config>("dkim"),
      reserved<Config>("staging"),
      reserved<Config>("webhooks"),
      reserved<Config>("priorities"),
      reserved<Config>("lookup"),
      reserved<Config>("redis"),
  };
  return keys;
}

void read_config(Reader& reader, const Node& root, Config& config) {
  read_keys(reader, root, keys_of(&config), config);
}

std::vector<KeyRow> key_table() {
  return rows(keys_of(static_cast<const Config*>(nullptr)), "");
}

}  // namespace relayd::config
