// A start without a file: RELAYD_* variables become the tree that a file would have given, and go the same
// way.
#include "shared/config/environment.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "shared/base/ascii.hpp"
#include "shared/config/environment_names.hpp"
#include "shared/config/load.hpp"
#include "shared/config/yaml_text.hpp"
#include "shared/process/user.hpp"

namespace relayd::config {
namespace {

// The variable that names the file of a secret, instead of the one that has it.
const Variable* file_of(std::string_view secret) {
  const auto is_it = [secret](const Variable& variable) {
    return variable.name.size() == secret.size() + 5 && variable.name.starts_with(secret) &&
           variable.name.ends_with("_FILE");
  };
  return &*std::ranges::find_if(variables(), is_it);
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

// The value of a key.
Node value_node(const Variable& variable, std::string_view text) {
  if (variable.is_list && text.find(',') != std::string_view::npos) return list(text, variable.name);
  return scalar(text, variable.name);
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
  Node rule = collection(Node::Kind::map, environment_name);
  add(rule, "match", scalar("*", environment_name));
  add(rule, "upstream", scalar("default", environment_name));
  Node rules = collection(Node::Kind::list, environment_name);
  rules.items.push_back(std::move(rule));
  add(root, "senders", std::move(rules));
}

// What a start cannot do without and does not have, for whoever began with nothing.
std::string wanted(const Environment& environment) {
  const auto is_set = [&](std::string_view name) { return !value_of(environment, name).empty(); };
  std::vector<std::string_view> names = {"RELAYD_PROVIDER (or RELAYD_HOST)"};
  const bool has_tokens = std::ranges::any_of(variables(), [&](const Variable& variable) {
    return variable.name.starts_with("RELAYD_OAUTH2_") && is_set(variable.name);
  });
  if (!has_tokens && !is_set("RELAYD_USERNAME")) names.emplace_back("RELAYD_USERNAME");
  if (!has_tokens && !is_set("RELAYD_PASSWORD") && !is_set("RELAYD_PASSWORD_FILE"))
    names.emplace_back("RELAYD_PASSWORD_FILE");
  const std::string_view last = names.back();
  names.pop_back();
  return names.empty() ? std::string(last) : fmt::format("{} and {}", fmt::join(names, ", "), last);
}

// RELAYD_USER is easily taken for the name of the account at the provider.
void check_user(Reader& reader, const Environment& environment) {
  constexpr std::string_view name = "RELAYD_USER";
  const std::string user(value_of(environment, name));
  if (user.empty()) return;
  const Result<process::User> found = process::find_user(user);
  if (!found)
    reader.error({{}, name},
                 fmt::format("{}; the account at the provider is RELAYD_USERNAME", found.error()));
  else if (::geteuid() != 0 && found->uid != ::geteuid())
    reader.error({{}, name},
                 "it has no effect: only root can become another user; the account at the provider is "
                 "RELAYD_USERNAME");
}

// All of it, with what is wrong told to the reader; a null node: it says not where mail goes.
Node tree_of(Reader& reader, const Environment& environment) {
  Node root = collection(Node::Kind::map, {});
  const auto is_set = [&](std::string_view name) { return !value_of(environment, name).empty(); };

  if (!is_set("RELAYD_PROVIDER") && !is_set("RELAYD_HOST")) {
    reader.error({}, fmt::format("nothing says where mail goes: set {}, or write a configuration file, as "
                                 "`relayd init` does",
                                 wanted(environment)));
    return {};
  }
  if (is_set("RELAYD_PROVIDER") && is_set("RELAYD_HOST") && is_set("RELAYD_REGION"))
    reader.error({{}, "RELAYD_REGION"}, "it has no effect: RELAYD_HOST says where mail goes");
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
      put(root, variable.path, value_node(variable, value_of(environment, variable.name)));
  listen_by_environment(root, environment);
  put_from(root, environment);
  put_rule(root);
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

const std::string environment_file(environment_name);

}  // namespace

void listen_by_environment(Node& root, const Environment& environment) {
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

Loaded load_environment(const Environment& environment, const Demands& demands) {
  Reader reader(environment_file, environment, demands.secrets);
  if (demands.variables) {
    complain_of_unknown(reader, environment);
    check_user(reader, environment);
  }
  const Node root = tree_of(reader, environment);
  if (root.kind == Node::Kind::null) return {nullptr, std::move(reader.errors), {}};
  Loaded loaded = load_tree(std::move(reader), root, environment_file);
  speak_of_variables(environment_file, loaded.errors);
  speak_of_variables(environment_file, loaded.warnings);
  return loaded;
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
