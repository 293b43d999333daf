// SendmailPlace: where `relayd sendmail` finds the daemon, when it may read the configuration and when not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "local_connection.hpp"
#include "shared/config/config.hpp"

namespace relayd::command {

struct SendmailPlace {
  std::vector<config::Listener> listeners;  // to be tried in this order
  std::string hostname;
  std::string drop;  // the drop folder
};

// From the configuration: unix sockets first, then what listens on loopback without demanding
// TLS or a login. Without a configuration that can be read the default places. Nothing when the file was
// named and cannot be used; why stands on standard error then.
std::optional<SendmailPlace> find_place(const Options& options);

// A connection to the first that answers.
std::optional<LocalConnection> connect_to(const SendmailPlace& place);

// The places in words: "unix:/run/relayd/smtp.sock, 127.0.0.1:25".
std::string to_string(const SendmailPlace& place);

}  // namespace relayd::command
