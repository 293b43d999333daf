// Commands: what a client says to us (RFC 5321 4.1, with the ESMTP extensions we offer), as typed values.
//
// Stands between the line buffer and the server dialogue. Pure: it knows syntax, not order or policy; whether
// a command is welcome now is the dialogue's matter. Everything in a value is checked: no control character,
// valid UTF-8 or ASCII, within the limits. What is not right is a Rejected with the reply to give.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "shared/smtp/reply.hpp"

namespace relayd::smtp {

struct Ehlo {
  std::string domain;  // as the client wrote it; never trusted (RFC 5321 4.1.4)
};
struct Helo {
  std::string domain;
};
struct Mail {
  std::string reverse_path;  // without <> and source route; empty: the null path
  std::optional<std::uint64_t>
      size;                  // RFC 1870; a value of 20 digits that does not fit is the largest that does
  bool eight_bit = false;    // RFC 6152, BODY=8BITMIME
  bool smtp_utf8 = false;    // RFC 6531
  bool require_tls = false;  // RFC 8689
  std::string ret;           // RFC 3461 4.3, "FULL" or "HDRS"; empty: not given
  std::string envelope_id;   // RFC 3461 4.4, still in xtext; empty: not given
  std::optional<std::string> auth;  // RFC 4954 5, decoded; empty: "<>"
};
struct Rcpt {
  std::string forward_path;  // without <> and source route
  std::string notify;        // RFC 3461 4.1, "NEVER" or a list as "SUCCESS,FAILURE,DELAY"; empty: not given
  std::string original_recipient;  // RFC 3461 4.2, "rfc822;…" still in xtext; empty: not given
};
struct Data {};
struct Rset {};
struct Noop {};
struct Vrfy {
  std::string argument;
};
struct Quit {};
struct StartTls {};
struct Auth {
  std::string mechanism;                // upper case
  std::optional<std::string> response;  // initial response, still in base64; empty: "=" (RFC 4954 4)
};
struct Help {};
// A well-formed line whose verb is none of the above: BDAT, EXPN, GET, … The verb is in upper case, escaped.
struct Unknown {
  std::string verb;
};
struct Rejected {
  Reply reply;
};

using Command = std::variant<Ehlo, Helo, Mail, Rcpt, Data, Rset, Noop, Vrfy, Quit, StartTls, Auth, Help,
                             Unknown, Rejected>;

// Reads one command line, without its CR LF. `smtp_utf8` says that MAIL gave SMTPUTF8, so that RCPT may hold
// UTF-8. Any case, trailing spaces and a space behind "FROM:" are taken; a source route is dropped
// (RFC 5321 C). A line is at most 512 octets, 2,048 for MAIL and RCPT, 12,288 for AUTH (RFC 5321 4.5.3.1.4,
// RFC 4954 4).
Command parse_command(std::string_view line, bool smtp_utf8 = false);

}  // namespace relayd::smtp
