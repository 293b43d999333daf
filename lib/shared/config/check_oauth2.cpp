// What must hold in `oauth2`, as far as it is the same for every provider; the rest is the router's.
#include <fmt/format.h>

#include "shared/config/check.hpp"

namespace relayd::config {
namespace {

// Of two keys of which one is enough, or which make no sense together.
void exclude(Reader& reader, const Node& node, std::string_view key, std::string_view other,
             std::string_view why) {
  if (node.has(key) && node.has(other)) reader.error(node.place_of(key), std::string(why));
}

// A program that prints the token knows the rest.
void check_command(Reader& reader, const Node& node) {
  const Node& token = *node.find("token");
  const Node* const command = token.find("command");
  if (!command)
    reader.error(token.place, "'command' is missing here");
  else if (command->kind == Node::Kind::list && command->items.empty())
    reader.error(command->place, "expected a command, found an empty list");
  for (const Entry& entry : node.entries)
    if (entry.key != "token" && entry.key != "user")
      reader.error(
          entry.place,
          fmt::format("the program prints the token: beside 'token' stands 'user' alone, and no '{}'",
                      entry.key));
}

void check_client(Reader& reader, const Node& node) {
  exclude(reader, node, "client_certificate", "client_secret",
          "the certificate stands in place of the secret: 'client_secret' is here, too");
  if (node.has("client_certificate") != node.has("client_key"))
    reader.error(node.place_of(node.has("client_key") ? "client_key" : "client_certificate"),
                 "client_certificate and client_key belong together: one of them is missing");
  if (node.has("secret_expires") && !node.has("client_secret"))
    reader.error(node.place_of("secret_expires"), "there is no 'client_secret' that could end");
  for (const std::string_view key : {"client_id", "client_secret", "client_certificate", "refresh_token"})
    exclude(reader, node, key, "key_file", "the key of a service account is all that it logs in with");
}

void check_user(Reader& reader, const Node& owner, const Node& node) {
  const Node* const user = node.find("user");
  if (!user && !owner.has("username"))
    reader.error(node.place, "whom is the login for? Set 'user' here, or 'username' beside it");
  const Node* const grant = node.find("grant");
  const bool signs_in = node.has("refresh_token") || (grant && grant->text == "refresh_token");
  if (user && user->text == "sender" && signs_in)
    reader.error(user->place,
                 "a refresh token is that of one person: 'user: sender' is for client_credentials, "
                 "service_account and token");
}

void check_mechanisms(Reader& reader, const Node& auth) {
  const auto check = [&reader](const Node& name) {
    const auto mechanism = sasl::find_mechanism(name.text);
    if (mechanism && !sasl::takes_token(*mechanism))
      reader.error(name.place, fmt::format("with 'oauth2' no password is used: 'auth' has xoauth2 and "
                                           "oauthbearer, and no {}",
                                           name.text));
  };
  if (auth.kind == Node::Kind::scalar) check(auth);
  for (const Node& item : auth.items) check(item);
}

}  // namespace

void check_oauth2(Reader& reader, const Node& owner) {
  const Node& node = *owner.find("oauth2");
  for (const std::string_view key : {"password", "next_password"})
    if (owner.has(key))
      reader.error(owner.place_of(key),
                   fmt::format("'oauth2' stands in place of a password: drop '{}'", key));
  if (const Node* const auth = owner.find("auth")) check_mechanisms(reader, *auth);
  if (node.kind != Node::Kind::map) return;
  check_user(reader, owner, node);
  if (node.has("token")) return check_command(reader, node);
  check_client(reader, node);
}

}  // namespace relayd::config
