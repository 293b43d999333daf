// A start without a file: RELAYD_* variables become the tree that a file would have given, and go the same
// way.
#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/config/load.hpp"
#include "shared/config/suggest.hpp"

namespace relayd::config {
namespace {

constexpr std::string_view prefix = "RELAYD_";

// A variable that is one key. RELAYD_LISTEN and RELAYD_ALLOW are not: they make the listeners; RELAYD_FROM
// makes a rule.
struct Variable {
  std::string_view name;
  std::vector<std::string_view> path;
};

const std::vector<Variable>& variables() {
  static const std::vector<Variable> table = {
      {"RELAYD_HOSTNAME", {"hostname"}},
      {"RELAYD_USER", {"user"}},
      {"RELAYD_QUEUE_DIRECTORY", {"queue", "directory"}},
      {"RELAYD_LOG_FORMAT", {"log", "format"}},
      {"RELAYD_ROOT_TO", {"aliases", "root"}},
      {"RELAYD_STAGING_REDIRECT", {"staging", "redirect"}},
      {"RELAYD_BOUNCE_FROM", {"bounce", "from"}},
      {"RELAYD_PROVIDER", {"upstreams", "default", "provider"}},
      {"RELAYD_HOST", {"upstreams", "default", "host"}},
      {"RELAYD_PORT", {"upstreams", "default", "port"}},
      {"RELAYD_TLS", {"upstreams", "default", "tls"}},
      {"RELAYD_USERNAME", {"upstreams", "default", "username"}},
      {"RELAYD_PASSWORD", {"upstreams", "default", "password"}},
      {"RELAYD_PASSWORD_FILE", {"upstreams", "default", "password", "file"}},
  };
  return table;
}
constexpr std::string_view listen_variable = "RELAYD_LISTEN";
constexpr std::string_view allow_variable = "RELAYD_ALLOW";
constexpr std::string_view from_variable = "RELAYD_FROM";
constexpr std::string_view config_variable = "RELAYD_CONFIG";  // names the file; read elsewhere

// An empty variable is as good as none: compose files pass on what is not set as empty.
std::string_view value_of(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end()) return {};
  // Kubernetes sets RELAYD_PORT=tcp://10.0.0.1:25 in every container when a Service is called "relayd".
  if (name == "RELAYD_PORT" && found->second.starts_with("tcp://")) return {};
  return found->second;
}

Node scalar(std::string_view text, std::string_view variable) {
  Node node;
  node.kind = Node::Kind::scalar;
  node.place.source = variable;
  node.text = text;
  return node;
}

Node collection(Node::Kind kind, std::string_view variable) {
  Node node;
  node.kind = kind;
  node.place.source = variable;
  return node;
}

void add(Node& map, std::string_view key, Node value) {
  const Place place = value.place;
  map.entries.push_back({std::string(key), place, std::move(value)});
}

// Puts `value` at the path, with maps on the way.
void put(Node& root, const std::vector<std::string_view>& path, const Node& value) {
  Node* map = &root;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    if (!map->has(path[i])) add(*map, path[i], collection(Node::Kind::map, value.place.source));
    map = map->find(path[i]);
  }
  add(*map, path.back(), value);
}

// "a, b" to a list of a and b.
Node list(std::string_view text, std::string_view variable) {
  Node node = collection(Node::Kind::list, variable);
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string_view item = ascii::trimmed(text.substr(at, comma - at), " ");
    if (!item.empty()) node.items.push_back(scalar(item, variable));
    at = comma + 1;
  }
  return node;
}

void put_listeners(Node& root, const Environment& environment) {
  std::string_view addresses = value_of(environment, listen_variable);
  const std::string_view allow = value_of(environment, allow_variable);
  if (addresses.empty() && allow.empty()) return;
  if (addresses.empty()) addresses = "127.0.0.1:25,[::1]:25";
  Node listeners = collection(Node::Kind::list, listen_variable);
  for (Node& address : list(addresses, listen_variable).items) {
    Node listener = collection(Node::Kind::map, listen_variable);
    add(listener, "address", std::move(address));
    if (!allow.empty()) add(listener, "allow", list(allow, allow_variable));
    listeners.items.push_back(std::move(listener));
  }
  add(root, "listen", std::move(listeners));
}

// The forced From: of all messages, with replies to who wrote them.
void put_from(Node& root, const Environment& environment) {
  const std::string_view address = value_of(environment, from_variable);
  if (address.empty()) return;
  Node rule = collection(Node::Kind::map, from_variable);
  add(rule, "match", scalar("*", from_variable));
  add(rule, "to", scalar(address, from_variable));
  add(rule, "in", list("sender, from", from_variable));
  add(rule, "keep", scalar("reply-to", from_variable));
  Node rules = collection(Node::Kind::list, from_variable);
  rules.items.push_back(std::move(rule));
  add(root, "rewrite", std::move(rules));
}

// One rule: every sender, through the one upstream.
void put_rule(Node& root) {
  Node rule = collection(Node::Kind::map, "environment");
  add(rule, "match", scalar("*", "environment"));
  add(rule, "upstream", scalar("default", "environment"));
  Node rules = collection(Node::Kind::list, "environment");
  rules.items.push_back(std::move(rule));
  add(root, "senders", std::move(rules));
}

// Containers see many variables that start with a service's name, so only a near miss is worth a word.
void warn_of_misspelt(Reader& reader, const Environment& environment) {
  std::vector<std::string_view> known = {listen_variable, allow_variable, from_variable, config_variable};
  for (const Variable& variable : variables()) known.push_back(variable.name);
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(prefix) || std::ranges::find(known, name) != known.end()) continue;
    const std::string hint = suggestion(name, known);
    if (!hint.empty()) reader.warn({}, fmt::format("unknown variable '{}'{}", name, hint));
  }
}

}  // namespace

Loaded load_environment(const Environment& environment, const Demands& demands) {
  static const std::string file = "environment";
  Reader reader(file, environment, demands.secrets);
  Node root = collection(Node::Kind::map, {});
  const auto is_set = [&](std::string_view name) { return !value_of(environment, name).empty(); };

  if (!is_set("RELAYD_PROVIDER") && !is_set("RELAYD_HOST")) {
    reader.error({},
                 "set RELAYD_PROVIDER or RELAYD_HOST to say where mail goes, or write a configuration file");
    return {nullptr, std::move(reader.errors), {}};
  }
  const bool two_passwords = is_set("RELAYD_PASSWORD") && is_set("RELAYD_PASSWORD_FILE");
  if (two_passwords)
    reader.error({{}, "RELAYD_PASSWORD_FILE"}, "RELAYD_PASSWORD is set too: one of them is enough");
  for (const Variable& variable : variables()) {
    const bool surplus = two_passwords && variable.name == "RELAYD_PASSWORD_FILE";
    if (is_set(variable.name) && !surplus)
      put(root, variable.path, scalar(value_of(environment, variable.name), variable.name));
  }
  put_listeners(root, environment);
  put_from(root, environment);
  put_rule(root);
  warn_of_misspelt(reader, environment);
  return load_tree(std::move(reader), root, file);
}

}  // namespace relayd::config
