// Rules: who may hand in mail on a listener, and as whom. Pure: configuration and facts in, a decision out.
//
// First stage of the path; asked by the session at MAIL FROM.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::accept {

// A client on this machine: nobody else can listen, and it may always come in.
bool is_local(std::string_view client);

// May this client start a transaction? Nothing: yes; else the reply to MAIL. `logged_in` says that AUTH has
// succeeded.
std::optional<smtp::Reply> check_client(const config::Listener& listener, std::string_view client,
                                        bool logged_in, bool encrypted);

// Patterns are "ann@example.com", "@example.com", "@*.example.com" or "*"; none at all allows everything.
// Letters' case does not matter. The null sender is always allowed: reports need it, and are held to their
// header.
bool may_send_as(const std::vector<std::string>& patterns, std::string_view sender);

// Is AUTH offered now? Passwords pass in the clear only where nobody can listen: loopback and unix sockets.
bool auth_offered(const config::Listener& listener, std::string_view client, bool encrypted);

}  // namespace relayd::accept
