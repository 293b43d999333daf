// MAIL and RCPT: the two commands with a path and parameters (RFC 5321 3.3), read as server, written as
// client.
//
// The reading half is parse_command()'s own; the writing half is the client dialogue's. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/mail/envelope.hpp"
#include "shared/smtp/capabilities.hpp"
#include "shared/smtp/command.hpp"

namespace relayd::smtp {

// What stands behind "MAIL" and "RCPT", without controls and trailing spaces: Mail or Rcpt, or Rejected.
Command parse_mail(std::string_view arguments);
Command parse_rcpt(std::string_view arguments, bool smtp_utf8);

// An extension that a message needs and a server does not offer, and how the message is refused for it.
struct Lack {
  std::string_view extension;
  int code = 550;
  EnhancedCode enhanced;
};
// The first one; nothing: the server may have the message as it is. It is never changed to fit (RFC 6152 3).
std::optional<Lack> find_lack(const mail::Envelope& envelope, const Capabilities& capabilities);

// The command with CR LF and those parameters that the server offers. A message that needs what the server
// does not offer (smtp_utf8, eight_bit, require_tls) must not come here; the dialogue has refused it by then.
// An octet that would end the line or the path is sent as '?', so that no address, wherever it came from, can
// become a command of its own.
std::string mail_from(const mail::Envelope& envelope, std::uint64_t size, const Capabilities& capabilities);
std::string rcpt_to(const mail::Recipient& recipient, const Capabilities& capabilities);

}  // namespace relayd::smtp
