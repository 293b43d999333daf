#include "shared/config/load.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <tuple>

#include "shared/config/accounts_file.hpp"
#include "shared/config/check.hpp"
#include "shared/config/environment.hpp"
#include "shared/config/environment_names.hpp"
#include "shared/config/expand.hpp"
#include "shared/config/file.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/senders_file.hpp"
#include "shared/config/value.hpp"
#include "shared/config/yaml.hpp"

namespace relayd::config {
namespace {

constexpr std::string_view fallback_hostname = "relayd.invalid";

bool names_this_machine(const std::string& name) {
  return is_domain(name) && name != "localhost" && !name.starts_with("localhost.");
}

// The full name of this machine: a name with a dot needs no resolver. Empty if there is none.
std::string system_hostname() {
  char name[256] = "";
  if (::gethostname(name, sizeof name - 1) != 0) return {};
  const std::string own = name;
  if (names_this_machine(own) && own.find('.') != std::string::npos) return own;

  addrinfo hints{};
  hints.ai_flags = AI_CANONNAME;
  addrinfo* found = nullptr;
  std::string canonical;
  if (::getaddrinfo(name, nullptr, &hints, &found) == 0) {
    if (found->ai_canonname) canonical = found->ai_canonname;
    ::freeaddrinfo(found);
  }
  if (names_this_machine(canonical)) return canonical;
  return names_this_machine(own) ? own : std::string();
}

std::vector<Network> loopback() {
  return {*Network::parse("127.0.0.0/8"), *Network::parse("::1")};
}

Listener default_listener(const std::string& address) {
  Endpoint endpoint = *parse_endpoint(address);
  Listener listener;
  listener.address = address;
  listener.host = std::move(endpoint.host);
  listener.port = endpoint.port;
  listener.allow = loopback();
  return listener;
}

// "example.com" of "mail.example.com"; a name of two labels is a domain itself.
std::string domain_of(const std::string& hostname) {
  const std::size_t dot = hostname.find('.');
  const bool deeper = dot != std::string::npos && hostname.find('.', dot + 1) != std::string::npos;
  return deeper ? hostname.substr(dot + 1) : hostname;
}

void fill_defaults(Reader& reader, const Node& root, Config& config) {
  if (config.hostname.empty()) config.hostname = system_hostname();
  if (config.hostname.empty()) {
    reader.warn(root.place, fmt::format("this machine has no name: relayd calls itself {}; set 'hostname'",
                                        fallback_hostname));
    config.hostname = fallback_hostname;
  }
  if (config.origin.empty()) config.origin = domain_of(config.hostname);
  const Node* const listen = root.find("listen");
  for (std::size_t i = 0; i < config.listeners.size(); ++i)
    if (!listen->items[i].has("allow")) config.listeners[i].allow = loopback();
  if (config.listeners.empty()) config.listeners = default_listeners();
}

// By place; those of other files come behind.
void put_in_order(std::vector<Diagnostic>& diagnostics, const std::string& file) {
  std::ranges::stable_sort(diagnostics, {}, [&file](const Diagnostic& diagnostic) {
    const bool elsewhere = diagnostic.where.line > 0 && diagnostic.file != file;
    return std::tuple(elsewhere ? std::string_view(diagnostic.file) : "", diagnostic.where.line,
                      diagnostic.where.column);
  });
}

Loaded load(std::string_view text, const std::string& name, const Environment& environment,
            std::optional<struct stat> status, const Demands& demands) {
  Reader reader(name, environment, demands.secrets, status);
  std::optional<Node> root = parse_yaml(text, name, reader.errors);
  if (!root) {
    put_in_order(reader.errors, name);
    return {nullptr, std::move(reader.errors), {}};
  }
  expand(*root, environment);
  if (demands.variables) complain_of_strays(reader, environment, text, *root);
  if (!root->has("listen")) listen_by_environment(*root, environment);
  Loaded loaded = load_tree(std::move(reader), *root, name);
  speak_of_variables(name, loaded.errors);
  return loaded;
}

}  // namespace

std::vector<Listener> default_listeners() {
  return {default_listener("127.0.0.1:25"), default_listener("[::1]:25")};
}

Loaded load_tree(Reader reader, const Node& root, const std::string& file) {
  auto config = std::make_shared<Config>();
  config->file = file;
  read_config(reader, root, *config);
  read_accounts_file(reader, root, *config);
  read_senders_file(reader, root, *config);
  check_config(reader, root, *config);
  const bool good = reader.errors.empty();
  if (good) fill_defaults(reader, root, *config);
  put_in_order(reader.errors, file);
  put_in_order(reader.warnings, file);
  if (!good) config.reset();
  return {std::move(config), std::move(reader.errors), std::move(reader.warnings)};
}

std::string fault_of_owner(const struct stat& status, const Demands& demands) {
  if (!demands.owner || status.st_uid == *demands.owner || status.st_uid == 0) return {};
  return fmt::format("it belongs to uid {}: it must be yours or root's", status.st_uid);
}

Loaded load_text(std::string_view text, const std::string& name, const Environment& environment) {
  return load(text, name, environment, {}, {.variables = false});
}

Loaded load_file(const std::filesystem::path& path, const Environment& environment, const Demands& demands) {
  const auto refuse = [&path](std::string text) {
    return Loaded{nullptr, {{path.string(), {}, std::move(text)}}, {}};
  };
  const Result<FileText> file = read_file(path.string(), longest_config);
  if (!file) return refuse(file.error());
  const struct stat& status = file->status;
  if (const std::string fault = fault_of_owner(status, demands); !fault.empty()) return refuse(fault);
  if (S_ISREG(status.st_mode) && (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
      !rights_are_fixed(path.string()))
    return refuse(fmt::format("others may write it (mode {:04o}): chmod go-w {}", status.st_mode & 07777,
                              path.string()));
  return load(file->text, path.string(), environment, status, demands);
}

}  // namespace relayd::config
