#include "sendmail_place.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace relayd::command {

namespace {

using config::Listener;

constexpr std::chrono::seconds patience{60};

Listener default_listener(const std::string& host, const std::string& unix_path) {
  Listener listener;
  listener.address = unix_path.empty() ? host + ":25" : "unix:" + unix_path;
  listener.host = host;
  listener.port = 25;
  listener.unix_path = unix_path;
  return listener;
}

// A program of this machine can say MAIL there at once.
bool is_open_to_us(const Listener& listener) {
  if (listener.tls == config::TlsMode::implicit || listener.auth == config::ListenerAuth::required)
    return false;
  if (!listener.unix_path.empty()) return true;
  const bool any = listener.host == "0.0.0.0" || listener.host == "::";
  const std::string us = !any ? listener.host : listener.host == "::" ? "::1" : "127.0.0.1";
  static const config::Network loopback[] = {*config::Network::parse("127.0.0.0/8"),
                                             *config::Network::parse("::1")};
  const auto contains_us = [&us](const config::Network& network) { return network.contains(us); };
  return listener.port != 0 && std::ranges::any_of(loopback, contains_us) &&
         std::ranges::any_of(listener.allow, contains_us);
}

std::string system_hostname() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return *name ? name : "localhost";
}

}  // namespace

std::optional<SendmailPlace> find_place(const Options& options) {
  const std::shared_ptr<const config::Config> config = config_or_default(options);
  if (!config) return std::nullopt;
  SendmailPlace place;
  place.drop = config->drop_directory();
  if (config->listeners.empty()) {
    place.listeners = {default_listener("", "/run/relayd/smtp.sock"), default_listener("127.0.0.1", "")};
    place.hostname = system_hostname();
    return place;
  }
  std::ranges::copy_if(config->listeners, std::back_inserter(place.listeners), is_open_to_us);
  std::ranges::stable_partition(place.listeners,
                                [](const Listener& listener) { return !listener.unix_path.empty(); });
  place.hostname = config->hostname;
  return place;
}

std::optional<LocalConnection> connect_to(const SendmailPlace& place) {
  for (const Listener& listener : place.listeners)
    if (std::optional<LocalConnection> connection = LocalConnection::to(listener, patience))
      return connection;
  return std::nullopt;
}

std::string to_string(const SendmailPlace& place) {
  std::string text;
  for (const Listener& listener : place.listeners) text += (text.empty() ? "" : ", ") + listener.address;
  return text.empty() ? "any address of its configuration that takes mail without TLS and login" : text;
}

}  // namespace relayd::command
