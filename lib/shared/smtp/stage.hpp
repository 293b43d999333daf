// Stage and Trouble: where in a client's dialogue something happened, and what it was when it was no reply.
//
// What send reports and settle judges. Plain values.
#pragma once

#include <cstddef>
#include <string_view>

namespace relayd::smtp {

// What we wait for an answer to. `connect` has no reply.
enum class Stage { connect, greeting, ehlo, starttls, auth, mail, rcpt, data, final_dot };

inline std::string_view to_string(Stage stage) {
  constexpr std::string_view names[] = {"connect", "greeting", "ehlo", "starttls", "auth",
                                        "mail",    "rcpt",     "data", "final_dot"};
  return names[static_cast<std::size_t>(stage)];
}

// What happened instead of a reply.
enum class Trouble {
  unreachable,   // no address, no route, refused, no connection in time
  broken,        // the connection ended, broke or fell silent
  cancelled,     // we closed it
  malformed,     // what came is no reply
  tls,           // handshake or certificate
  no_starttls,   // TLS is demanded and not offered (RFC 3207 4)
  no_mechanism,  // no mechanism that we may use is offered, or the server did not prove itself
  no_password,   // the secret cannot be read, or an access token is refused to us
  no_token,      // there is no access token for now: who gives them cannot be reached, or asks to wait
  too_large,     // over the upstream's SIZE (RFC 1870 6.1)
  no_extension,  // the message needs SMTPUTF8, 8BITMIME or REQUIRETLS and it is not there
};

}  // namespace relayd::smtp
