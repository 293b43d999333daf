#include "shared/config/environment_names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/config/environment.hpp"
#include "shared/config/suggest.hpp"

namespace relayd::config {
namespace {

constexpr std::string_view prefix = "RELAYD_";

// Read elsewhere, and also beside a file: what names the file, whom DNS is asked of, and what the commands
// that ask the daemon want to know.
constexpr std::string_view beside_a_file[] = {"RELAYD_CONFIG", "RELAYD_DNS", "RELAYD_ADMIN",
                                              "RELAYD_HTTP_TOKEN", "RELAYD_HTTP_TOKEN_FILE"};

bool is_upper_or_digit(char c) {
  return ascii::is_digit(c) || c == '_' || (c >= 'A' && c <= 'Z');
}

// "25_TCP" and "25_TCP_ADDR" of RELAYD_PORT_25_TCP_ADDR.
bool is_port_of_a_service(std::string_view rest) {
  std::size_t digits = 0;
  while (digits < rest.size() && ascii::is_digit(rest[digits])) ++digits;
  if (digits == 0) return false;
  rest.remove_prefix(digits);
  for (const std::string_view protocol : {"_TCP", "_UDP", "_SCTP"})
    for (const std::string_view end :
         {"", "_PROTO", "_PORT", "_ADDR", "_START", "_END", "_PORT_START", "_PORT_END"})
      if (rest == fmt::format("{}{}", protocol, end)) return true;
  return false;
}

// What Kubernetes sets in every container for a Service called "relayd" or "relayd-…", and Docker for a link
// of such a name.
bool is_of_a_service(std::string_view name, std::string_view value) {
  if (name.ends_with("_PORT") && value.find("://") != std::string_view::npos) return true;
  if (name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT")) return true;
  if (name.find("_SERVICE_PORT_") != std::string_view::npos) return true;
  if (name.ends_with("_NAME") && value.starts_with('/')) return true;
  if (name.find("_ENV_") != std::string_view::npos) return true;
  const std::size_t port = name.find("_PORT_");
  return port != std::string_view::npos && is_port_of_a_service(name.substr(port + 6));
}

// Whether the text has this name, and not as a part of a longer one.
bool names(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos; at = text.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    const bool begins = at == 0 || !is_upper_or_digit(text[at - 1]);
    if (begins && (end == text.size() || !is_upper_or_digit(text[end]))) return true;
  }
  return false;
}

// RELAYD_* of this environment that are set and ours, if anybody's.
std::vector<std::string_view> ours(const Environment& environment) {
  std::vector<std::string_view> found;
  for (const auto& [name, value] : environment)
    if (name.starts_with(prefix) && !value_of(environment, name).empty()) found.emplace_back(name);
  return found;
}

void complain_of_unknown(Reader& reader, std::string_view name) {
  reader.error({{}, name},
               fmt::format("there is no such variable{}", suggestion(name, environment_variables())));
}

// What to write in a file instead.
std::string key_for(const Variable& variable) {
  std::string key;
  for (const std::string_view step : variable.path)
    key += (key.empty() ? "" : ".") + std::string(step == "default" ? "NAME" : step);
  return key;
}

// Why a variable that is known does nothing beside the file; empty: it does.
std::string why_without_effect(std::string_view name, const Node& root) {
  if (std::ranges::find(beside_a_file, name) != std::end(beside_a_file)) return {};
  if (name == listen_variable) return {};  // the image sets it, whatever the file says
  if (name == allow_variable)
    return root.has("listen") ? "the configuration file has 'listen': write 'allow' there" : "";
  const auto row = std::ranges::find(variables(), name, &Variable::name);
  const std::string key = row == variables().end() ? "rewrite" : key_for(*row);
  return fmt::format("it has no effect beside a configuration file: write '{}' there", key);
}

}  // namespace

const std::vector<Variable>& variables() {
  static const std::vector<Variable> table = {
      {"RELAYD_HOSTNAME", {"hostname"}},
      {"RELAYD_ORIGIN", {"origin"}},
      {"RELAYD_USER", {"user"}},
      {"RELAYD_QUEUE_DIRECTORY", {"queue", "directory"}},
      {"RELAYD_ADMIN", {"admin", "socket"}},
      {"RELAYD_LOG_FORMAT", {"log", "format"}},
      {"RELAYD_LOG_LEVEL", {"log", "level"}},
      {"RELAYD_ROOT_TO", {"aliases", "root"}},
      {"RELAYD_STAGING_REDIRECT", {"staging", "redirect"}},
      {"RELAYD_BOUNCE_FROM", {"bounce", "from"}},
      {"RELAYD_HTTP", {"http", "address"}},
      {"RELAYD_HTTP_TOKEN", {"http", "token"}},
      {"RELAYD_HTTP_TOKEN_FILE", {"http", "token", "file"}},
      {"RELAYD_PROVIDER", {"upstreams", "default", "provider"}},
      {"RELAYD_REGION", {"upstreams", "default", "region"}},
      {"RELAYD_HOST", {"upstreams", "default", "host"}},
      {"RELAYD_PORT", {"upstreams", "default", "port"}, true},
      {"RELAYD_TLS", {"upstreams", "default", "tls"}},
      {"RELAYD_CA_FILE", {"upstreams", "default", "tls_options", "ca_file"}},
      {"RELAYD_AUTH", {"upstreams", "default", "auth"}, true},
      {"RELAYD_USERNAME", {"upstreams", "default", "username"}},
      {"RELAYD_PASSWORD", {"upstreams", "default", "password"}},
      {"RELAYD_PASSWORD_FILE", {"upstreams", "default", "password", "file"}},
      {"RELAYD_PROXY", {"upstreams", "default", "proxy"}},
      {"RELAYD_CONNECTIONS", {"upstreams", "default", "limits", "connections"}},
      {"RELAYD_RATE", {"upstreams", "default", "limits", "rate"}, true},
      {"RELAYD_QUOTA", {"upstreams", "default", "limits", "quota"}, true},
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

std::vector<std::string_view> environment_variables() {
  std::vector<std::string_view> known = {listen_variable, allow_variable, from_variable, "RELAYD_CONFIG",
                                         "RELAYD_DNS"};
  for (const Variable& variable : variables()) known.push_back(variable.name);
  return known;
}

std::string_view value_of(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  if (found == environment.end() || is_of_a_service(name, found->second)) return {};
  return found->second;
}

void complain_of_unknown(Reader& reader, const Environment& environment) {
  const std::vector<std::string_view> known = environment_variables();
  for (const std::string_view name : ours(environment))
    if (std::ranges::find(known, name) == known.end()) complain_of_unknown(reader, name);
}

void complain_of_strays(Reader& reader, const Environment& environment, std::string_view text,
                        const Node& root) {
  const std::vector<std::string_view> known = environment_variables();
  for (const std::string_view name : ours(environment)) {
    if (names(text, name)) continue;
    if (std::ranges::find(known, name) == known.end())
      complain_of_unknown(reader, name);
    else if (std::string why = why_without_effect(name, root); !why.empty())
      reader.error({{}, name}, std::move(why));
  }
}

}  // namespace relayd::config
