// What is wrong with a start without a file, in the words of who started it: variables, and no keys.
#include <fmt/format.h>

#include <algorithm>

#include "shared/config/environment.hpp"
#include "shared/config/environment_names.hpp"

namespace relayd::config {
namespace {

struct Saying {
  std::string_view of_a_file;
  std::string_view of_variables;
};

// What does not only name its keys in quotes.
constexpr Saying sayings[] = {
    {"upstream 'default': ", ""},
    {"oauth2 at 'default': ", "oauth2: "},
    {"a username needs a password", "set RELAYD_PASSWORD_FILE (or RELAYD_PASSWORD), too"},
    {"a password needs a username", "set RELAYD_USERNAME, too: the name of this password's account"},
    {"only a provider has regions", "only RELAYD_PROVIDER has regions"},
    {", or set 'auth: required'", ""},
    {"client_certificate and client_key", "RELAYD_OAUTH2_CLIENT_CERTIFICATE and RELAYD_OAUTH2_CLIENT_KEY"},
    {"use 'oauth2' in place of 'password'", "set RELAYD_OAUTH2_… in place of RELAYD_PASSWORD"},
    {"'oauth2' stands in place", "RELAYD_OAUTH2_… stands in place"},
    {"with 'oauth2'", "with RELAYD_OAUTH2_…"},
    {"of 'http'", "of RELAYD_HTTP"},
    {"'tls_options'", "RELAYD_CA_FILE"},
    {"no rule of 'senders' is for", "no variable says where mail goes from"},
};

// Which variable is at fault, where a complaint of the whole upstream does not name it.
constexpr Saying faults[] = {
    {"username and password at", "RELAYD_USERNAME"},
    {"region", "RELAYD_REGION"},
    {"provider '", "RELAYD_PROVIDER"},
    {"the token of 'http'", "RELAYD_HTTP_TOKEN"},
    {"needs 'host'", "RELAYD_PROVIDER"},
};

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// 'key' becomes its variable, and 'key: value' the variable with its value.
void name_variable(std::string& text, std::string_view key, std::string_view variable) {
  replace(text, fmt::format("'{}'", key), variable);
  const std::string with_value = fmt::format("'{}: ", key);
  for (std::size_t at = text.find(with_value); at != std::string::npos; at = text.find(with_value, at)) {
    const std::size_t end = text.find('\'', at + with_value.size());
    if (end == std::string::npos) return;
    const std::string value = text.substr(at + with_value.size(), end - at - with_value.size());
    text.replace(at, end + 1 - at, fmt::format("{}={}", variable, value));
  }
}

void name_variables(std::string& text, bool of_tokens) {
  const auto name_those = [&text](bool of_oauth2) {
    for (const Variable& variable : variables())
      if (variable.name.starts_with("RELAYD_OAUTH2_") == of_oauth2 && variable.path.back() != "file")
        name_variable(text, variable.path.back(), variable.name);
  };
  name_those(of_tokens);
  name_those(!of_tokens);
  name_variable(text, "address", listen_variable);
  name_variable(text, "allow", allow_variable);
}

}  // namespace

void speak_of_variables(std::string_view file, std::vector<Diagnostic>& diagnostics) {
  for (Diagnostic& diagnostic : diagnostics) {
    if (file != environment_name && diagnostic.file != listen_variable) continue;
    std::string& text = diagnostic.text;
    const bool of_tokens =
        diagnostic.file.starts_with("RELAYD_OAUTH2_") || text.find("oauth2 at") != std::string::npos;
    const auto is_fault = [&text](const Saying& fault) {
      return text.find(fault.of_a_file) != std::string::npos;
    };
    const auto fault = std::ranges::find_if(faults, is_fault);
    if (diagnostic.file == environment_name && fault != std::end(faults))
      diagnostic.file = fault->of_variables;
    for (const Saying& saying : sayings) replace(text, saying.of_a_file, saying.of_variables);
    name_variables(text, of_tokens);
  }
}

}  // namespace relayd::config
