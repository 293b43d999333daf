// What a first configuration file has in it.
#include <fmt/format.h>

#include "init.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::command {

namespace {

using config::yaml_quoted;

std::string key(std::string_view name, const std::string& value) {
  return value.empty() ? "" : fmt::format("    {}: {}\n", name, yaml_quoted(value));
}

std::string upstream_text(const InitOptions& options, const std::string& password) {
  std::string text = fmt::format("upstreams:\n  {}:\n", yaml_quoted(init_upstream(options)));
  text += key("provider", options.provider) + key("region", options.region) + key("host", options.host) +
          key("port", options.port) + key("tls", options.tls);
  if (options.username) text += key("username", *options.username);
  if (!password.empty()) text += fmt::format("    password: {}\n", password);
  return text;
}

std::string senders_text(const InitOptions& options) {
  std::string text =
      "# Who may send, and through what: the most specific match wins, \"*\" is everybody. A rule may have "
      "an "
      "account\n# of its own (username, password), and several upstreams that are tried in "
      "order.\nsenders:\n";
  const std::vector<std::string> everybody = {"*"};
  for (const std::string& match : options.senders.empty() ? everybody : options.senders)
    text += fmt::format("  - {{match: {}, upstream: {}}}\n", yaml_quoted(match),
                        yaml_quoted(init_upstream(options)));
  return text;
}

}  // namespace

std::string init_upstream(const InitOptions& options) {
  return options.provider.empty() ? "default" : options.provider;
}

std::string init_text(const InitOptions& options, const std::string& password) {
  std::string text =
      "# relayd, as `relayd init` wrote it. Every key: config.example.yaml. After a change: relayd check && "
      "relayd "
      "reload.\n\n";
  text +=
      "# The name in EHLO, Received and Message-ID. Default: this machine's full name.\n"
      "#hostname: mail.example.com\n\n";
  text +=
      "# Where programs hand in mail. Programs of this machine alone may: see `allow` and `auth` for "
      "others.\n";
  // The default is both addresses of localhost, of which a machine may have only one.
  text += options.listen.empty() || options.listen == default_listen
              ? "#listen: [{address: \"127.0.0.1:25\"}, {address: \"[::1]:25\"}]\n\n"
              : fmt::format("listen:\n  - address: {}\n\n", yaml_quoted(options.listen));
  if (!options.queue.empty()) text += fmt::format("queue:\n  directory: {}\n\n", yaml_quoted(options.queue));
  text += upstream_text(options, password) + "\n" + senders_text(options);
  text +=
      "\n# Reports to senders about mail that failed; without, `relayd history` and the log have it.\n"
      "#bounce: {from: postmaster@example.com}\n";
  return text;
}

}  // namespace relayd::command
