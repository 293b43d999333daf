// A start without a file: RELAYD_* variables become the tree that a file would have given, and go the same
// way.
#include "shared/config/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "shared/base/ascii.hpp"
#include "shared/config/load.hpp"
#include "shared/config/suggest.hpp"
#include "shared/config/yaml_text.hpp"

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
      {"RELAYD_ADMIN", {"admin", "socket"}},
      {"RELAYD_LOG_FORMAT", {"log", "format"}},
      {"RELAYD_ROOT_TO", {"aliases", "root"}},
      {"RELAYD_STAGING_REDIRECT", {"staging", "redirect"}},
      {"RELAYD_BOUNCE_FROM", {"bounce", "from"}},
      {"RELAYD_HTTP", {"http", "address"}},
      {"RELAYD_HTTP_TOKEN", {"http", "token"}},
      {"RELAYD_HTTP_TOKEN_FILE", {"http", "token", "file"}},
      {"RELAYD_PROVIDER", {"upstreams", "default", "provider"}},
      {"RELAYD_REGION", {"upstreams", "default", "region"}},
      {"RELAYD_HOST", {"upstreams", "default", "host"}},
      {"RELAYD_PORT", {"upstreams", "default", "port"}},
      {"RELAYD_TLS", {"upstreams", "default", "tls"}},
      {"RELAYD_USERNAME", {"upstreams", "default", "username"}},
      {"RELAYD_PASSWORD", {"upstreams", "default", "password"}},
      {"RELAYD_PASSWORD_FILE", {"upstreams", "default", "password", "file"}},
      {"RELAYD_OAUTH2_PROVIDER", {"upstreams", "default", "oauth2", "provider"}},
      {"RELAYD_OAUTH2_GRANT", {"upstreams", "default", "oauth2", "grant"}},
      {"RELAYD_OAUTH2_TENANT", {"upstreams", "default", "oauth2", "tenant"}},
      {"RELAYD_OAUTH2_CLOUD", {"upstreams", "default", "oauth2", "cloud"}},
      {"RELAYD_OAUTH2_CLIENT_ID", {"upstreams", "default", "oauth2", "client_id"}},
      {"RELAYD_OAUTH2_CLIENT_SECRET", {"upstreams", "default", "oauth2", "client_secret"}},
      {"RELAYD_OAUTH2_CLIENT_SECRET_FILE", {"upstreams", "default", "oauth2", "client_secret", "file"}},
      {"RELAYD_OAUTH2_CLIENT_CERTIFICATE", {"upstreams", "default", "oauth2", "client_certificate"}},
      {"RELAYD_OAUTH2_CLIENT_KEY", {"upstreams", "default", "oauth2", "client_key"}},
      {"RELAYD_OAUTH2_KEY_FILE", {"upstreams", "default", "oauth2", "key_file"}},
      {"RELAYD_OAUTH2_REFRESH_TOKEN", {"upstreams", "default", "oauth2", "refresh_token"}},
      {"RELAYD_OAUTH2_REFRESH_TOKEN_FILE", {"upstreams", "default", "oauth2", "refresh_token", "file"}},
      {"RELAYD_OAUTH2_USER", {"upstreams", "default", "oauth2", "user"}},
      {"RELAYD_OAUTH2_SCOPE", {"upstreams", "default", "oauth2", "scope"}},
      {"RELAYD_OAUTH2_TOKEN_URL", {"upstreams", "default", "oauth2", "token_url"}},
      {"RELAYD_OAUTH2_CA_FILE", {"upstreams", "default", "oauth2", "ca_file"}},
      {"RELAYD_OAUTH2_SECRET_EXPIRES", {"upstreams", "default", "oauth2", "secret_expires"}},
  };
  return table;
}

// The variable that names the file of a secret, instead of the one that has it.
const Variable* file_of(std::string_view secret) {
  const auto is_it = [secret](const Variable& variable) {
    return variable.name.size() == secret.size() + 5 && variable.name.starts_with(secret) &&
           variable.name.ends_with("_FILE");
  };
  return &*std::ranges::find_if(variables(), is_it);
}

constexpr std::string_view listen_variable = "RELAYD_LISTEN";
constexpr std::string_view allow_variable = "RELAYD_ALLOW";
constexpr std::string_view from_variable = "RELAYD_FROM";
// Read elsewhere: what names the file, and whom DNS is asked of.
constexpr std::string_view others[] = {"RELAYD_CONFIG", "RELAYD_DNS"};

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
  std::vector<std::string_view> known = {listen_variable, allow_variable, from_variable};
  known.insert(known.end(), std::begin(others), std::end(others));
  for (const Variable& variable : variables()) known.push_back(variable.name);
  for (const auto& [name, value] : environment) {
    if (!name.starts_with(prefix) || std::ranges::find(known, name) != known.end()) continue;
    const std::string hint = suggestion(name, known);
    if (!hint.empty()) reader.warn({}, fmt::format("unknown variable '{}'{}", name, hint));
  }
}

// All of it, with what is wrong told to the reader; a null node: it says not where mail goes.
Node tree_of(Reader& reader, const Environment& environment) {
  Node root = collection(Node::Kind::map, {});
  const auto is_set = [&](std::string_view name) { return !value_of(environment, name).empty(); };

  if (!is_set("RELAYD_PROVIDER") && !is_set("RELAYD_HOST")) {
    reader.error({},
                 "set RELAYD_PROVIDER or RELAYD_HOST to say where mail goes, or write a configuration file");
    return {};
  }
  std::set<std::string_view> surplus;
  for (const std::string_view secret : {"RELAYD_PASSWORD", "RELAYD_HTTP_TOKEN", "RELAYD_OAUTH2_CLIENT_SECRET",
                                        "RELAYD_OAUTH2_REFRESH_TOKEN"}) {
    const Variable* const other = file_of(secret);
    if (!is_set(secret) || !is_set(other->name)) continue;
    reader.error({{}, other->name}, fmt::format("{} is set too: one of them is enough", secret));
    surplus.insert(other->name);
  }
  for (const Variable& variable : variables())
    if (is_set(variable.name) && !surplus.contains(variable.name))
      put(root, variable.path, scalar(value_of(environment, variable.name), variable.name));
  put_listeners(root, environment);
  put_from(root, environment);
  put_rule(root);
  warn_of_misspelt(reader, environment);
  return root;
}

// Whether its value is a secret, and not the name of a file that has it.
bool is_secret(std::string_view variable) {
  if (variable.ends_with("_FILE")) return false;
  for (const std::string_view word : {"PASSWORD", "SECRET", "TOKEN"})
    if (variable.ends_with(word)) return true;
  return false;
}

// Each secret becomes the name of its variable.
void name_secrets(Node& node) {
  for (Node& item : node.items) name_secrets(item);
  for (Entry& entry : node.entries) name_secrets(entry.value);
  if (node.kind != Node::Kind::scalar || !is_secret(node.place.source)) return;
  const std::string_view variable = node.place.source;
  node = collection(Node::Kind::map, variable);
  add(node, "env", scalar(variable, variable));
}

const std::string environment_file = "environment";

}  // namespace

Loaded load_environment(const Environment& environment, const Demands& demands) {
  Reader reader(environment_file, environment, demands.secrets);
  const Node root = tree_of(reader, environment);
  if (root.kind == Node::Kind::null) return {nullptr, std::move(reader.errors), {}};
  return load_tree(std::move(reader), root, environment_file);
}

Readable read_what_can_be(const Environment& environment) {
  Reader reader(environment_file, environment, false);
  const Node root = tree_of(reader, environment);
  return read_tree(std::move(reader), root, environment_file);
}

Result<std::string> file_of_environment(const Environment& environment) {
  Reader reader(environment_file, environment, false);
  Node root = tree_of(reader, environment);
  if (!reader.errors.empty()) return Error{to_string(reader.errors.front())};
  name_secrets(root);
  return yaml_text(root);
}

}  // namespace relayd::config
