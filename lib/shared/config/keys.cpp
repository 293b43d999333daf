// The keys at the top, and of the log and the admin socket.
#include "shared/config/keys.hpp"

#include <fmt/format.h>

#include <array>

#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

Result<std::string> parse_hostname(std::string_view name) {
  if (!is_domain(name)) return Error{fmt::format("'{}' is not a host name", name)};
  if (lower_case(name) == "localhost")
    return Error{"'localhost' names every machine: write this one's full name"};
  return dns_spelling(name);
}

Result<std::string> parse_origin(std::string_view domain) {
  if (!is_domain(domain)) return Error{fmt::format("'{}' is not a domain", domain)};
  return dns_spelling(domain);
}

}  // namespace

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

const Keys<Log>& keys_of(const Log*) {
  static const Keys<Log> keys = {
      key("format", &Log::format),
      key("level", &Log::level),
      key("addresses", &Log::addresses),
  };
  return keys;
}

const Keys<Admin>& keys_of(const Admin*) {
  static const Keys<Admin> keys = {path("socket", &Admin::socket)};
  return keys;
}

const Keys<History>& keys_of(const History*) {
  static const Keys<History> keys = {
      {"keep",
       [](Reader& reader, const Node& node, History& out) {
         out.where = node.place.where;
         if (node.kind == Node::Kind::scalar && node.text == "0")
           out.keep = {};
         else
           read(reader, node, out.keep);
       }},
      {"size",
       [](Reader& reader, const Node& node, History& out) {
         read(reader, node, out.size);
         if (out.size < 1_MiB)
           reader.error(node.place, "a history has 1MiB at least: to keep none, set 'keep: 0'");
       }},
  };
  return keys;
}

static void read_aliases_table(Reader& reader, const Node& node, Config& out) {
  out.aliases_table_where = node.place.where;
  read(reader, node, out.aliases_table);
}

static void read_senders_table(Reader& reader, const Node& node, Config& out) {
  out.senders_table_where = node.place.where;
  read(reader, node, out.senders_table);
}

static Key<Config> upstreams_key() {
  return {"upstreams",
          [](Reader& reader, const Node& node, Config& out) { read_named(reader, node, out.upstreams); },
          rows(keys_of(static_cast<const Upstream*>(nullptr)), "*.")};
}

static Key<Config> tables_key() {
  return {"tables",
          [](Reader& reader, const Node& node, Config& out) { read_named(reader, node, out.tables); },
          rows(keys_of(static_cast<const Table*>(nullptr)), "*.")};
}

const Keys<Config>& keys_of(const Config*) {
  static const Keys<Config> keys = {
      text("hostname", &Config::hostname, parse_hostname),
      text("origin", &Config::origin, parse_origin),
      key("listen", &Config::listeners),
      group<Config>("tls", {key("certificates", &Config::certificates)}),
      key("accounts", &Config::accounts),
      path("accounts_file", &Config::accounts_file, &Config::accounts_file_where),
      key("access", &Config::access),
      key("aliases", &Config::aliases),
      path("aliases_file", &Config::aliases_file, &Config::aliases_file_where),
      {"aliases_table", read_aliases_table},
      key("bcc", &Config::bcc),
      key("staging", &Config::staging),
      change<Config>("rewrite", &Changes::rewrite),
      key("limits", &Config::limits),
      key("queue", &Config::queue),
      upstreams_key(),
      {"recipients",  // the other keys of its rules are those of `senders`
       [](Reader& reader, const Node& node, Config& config) { read(reader, node, config.recipients); },
       {{"*.match", true}, {"*.upstream", true}}},
      key("senders", &Config::senders),
      path("senders_file", &Config::senders_file, &Config::senders_file_where),
      {"senders_table", read_senders_table},
      tables_key(),
      key("bounce", &Config::bounce),
      key("history", &Config::history),
      key("suppress", &Config::suppress),
      key("log", &Config::log),
      key("admin", &Config::admin),
      key("user", &Config::user),
      key("confinement", &Config::confinement),
      key("http", &Config::http),
      headers_key<Config>(),
      key("dkim", &Config::dkim),
      key("webhooks", &Config::webhooks),
      key("watch", &Config::watch),
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
