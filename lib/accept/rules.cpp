#include "accept/rules.hpp"

#include <algorithm>

#include "shared/config/network.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::accept {

using config::ListenerAuth;

namespace {

constexpr std::string_view uid = "uid:";

bool is_on_unix_socket(std::string_view client) {
  return client == "unix" || client.starts_with(uid);
}

// Who may connect to a unix socket is up to its directory; `allow` may say more.
bool is_allowed_user(const config::Listener& listener, std::string_view client) {
  return listener.allow_uids.empty() ||
         std::any_of(listener.allow_uids.begin(), listener.allow_uids.end(), [client](std::uint32_t number) {
           return client == std::string(uid) + std::to_string(number);
         });
}

bool is_allowed(const config::Listener& listener, std::string_view client) {
  if (is_on_unix_socket(client)) return is_allowed_user(listener, client);
  return std::any_of(listener.allow.begin(), listener.allow.end(),
                     [client](const config::Network& network) { return network.contains(client); });
}

}  // namespace

bool is_local(std::string_view client) {
  static const config::Network v4 = *config::Network::parse("127.0.0.0/8");
  static const config::Network v6 = *config::Network::parse("::1");
  return is_on_unix_socket(client) || v4.contains(client) || v6.contains(client);
}

std::optional<smtp::Reply> check_client(const config::Listener& listener, std::string_view client,
                                        bool logged_in, bool encrypted) {
  // accept-any takes every password: a login there proves nothing.
  if (logged_in && listener.auth != ListenerAuth::accept_any) return std::nullopt;
  if (listener.auth == ListenerAuth::required) {
    if (listener.tls == config::TlsMode::starttls && !encrypted && !auth_offered(listener, client, encrypted))
      return smtp::Reply{530, {5, 7, 0}, "Must issue a STARTTLS command first"};  // RFC 3207 4
    return smtp::Reply{530, {5, 7, 0}, "Authentication required"};                // RFC 4954 6
  }
  if (is_allowed(listener, client)) return std::nullopt;
  if (listener.auth == ListenerAuth::optional)
    return smtp::Reply{530, {5, 7, 0}, "Authentication required: this address may not relay without it"};
  return smtp::Reply{
      550, {5, 7, 1}, "This address may not relay here: it is not in the listener's allow list"};
}

bool may_send_as(const std::vector<std::string>& patterns, std::string_view sender) {
  if (patterns.empty() || sender.empty()) return true;
  const std::string address = mail::lookup_key(sender);
  const std::string domain = "@" + mail::folded_domain(sender);
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    const std::string wanted = mail::lookup_key(pattern);
    if (wanted.starts_with("@*.")) return domain.ends_with(std::string_view(wanted).substr(2));
    return wanted == "*" || wanted == address || wanted == domain;
  });
}

bool auth_offered(const config::Listener& listener, std::string_view client, bool encrypted) {
  return listener.auth != ListenerAuth::none && (encrypted || is_local(client));
}

}  // namespace relayd::accept
