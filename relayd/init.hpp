// relayd init: from nothing to a checked configuration file.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "shared/base/secret.hpp"

namespace relayd::command {

// Stands for what relayd listens on without `listen`: both addresses of localhost.
inline constexpr const char* default_listen = "127.0.0.1:25";

// What a first configuration needs. On a terminal, what is not given is asked for.
struct InitOptions {
  std::string provider;                 // a preset; empty: `host`
  std::string region;                   // of the provider; empty: its default
  std::string host;                     // in place of a provider
  std::string port;                     // of the host; empty: by `tls`
  std::string tls;                      // of the host: starttls or implicit; empty: the default
  std::optional<std::string> username;  // empty: no login
  std::string password_file;            // that is there already
  std::string password_env;             // a variable that has it
  bool password_stdin = false;          // its first line
  std::vector<std::string> senders;     // patterns; none: all
  std::string listen;                   // empty: default_listen
  std::string queue;                    // empty: the default
  std::string output;                   // empty: /etc/relayd/relayd.yaml
  bool from_env = false;                // only print, or write, what RELAYD_* variables mean
};

int init(InitOptions options);

// The file, with comments. `password`: what stands behind `password:`, empty for none.
std::string init_text(const InitOptions& options, const std::string& password);
// The name of the upstream in it.
std::string init_upstream(const InitOptions& options);

// The user that a daemon started by root becomes; nothing: we are not root, or there is none.
std::optional<uid_t> owner_of_secrets();
// Runs this program again, for what becomes another user and confines itself. Its exit code.
int run_self(std::vector<std::string> words);

}  // namespace relayd::command
