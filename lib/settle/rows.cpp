#include "settle/rows.hpp"

namespace relayd::settle {

namespace {

using namespace providers::rows;
using providers::ReplyRow;
using enum smtp::ReplyClass;

// Everybody's rows; the first that fits.
constexpr ReplyRow of_everybody[] = {
    {only(Stage::final_dot), second, no_matter, "", none},  // RFC 5321 4.2.1: taken, whatever the code

    // --- the account, wherever it is told: a wrong password bounces nothing
    {any, code(530), no_matter, "", auth},   // RFC 4954 6: authentication required
    {any, {534, 535}, no_matter, "", auth},  // RFC 4954 6: mechanism too weak; credentials invalid
    {any, code(538), no_matter, "", auth},   // RFC 4954 6: encryption required for the mechanism
    {any, code(432), {4, 7, 12}, "", auth},  // RFC 4954 6: password transition is needed
    {only(Stage::mail), fifth, no_matter, "authentication required", auth},  // 550, 553, 554 of many MTAs
    {only(Stage::mail), fifth, no_matter, "authentication is required", auth},
    {only(Stage::mail), fifth, no_matter, "not authenticated", auth},
    {only(Stage::greeting), code(421), no_matter, "auth failures", auth, our_address},

    // --- a 5xx that passes: it tells when
    {not_rcpt, fifth, no_matter, tells_a_wait, rate},

    // --- the sender, told by text after MAIL was taken
    {content_sent, fifth, no_matter, "unconfigured sending domain", sender},  // SparkPost (550 5.7.1)
    {content_sent, fifth, no_matter, "sender not allowed", sender},           // Mailjet (550)
    {content_sent, fifth, no_matter, "relaying disallowed as", sender},       // Zoho (553)
    {content_sent, fifth, no_matter, "does not match the sender", sender},    // Mailtrap
    {content_sent, fifth, no_matter, "domain is not allowed", sender},        // Mailtrap (550 5.7.1)
    {content_sent, fifth, no_matter, "not a verified sender", sender},
    {content_sent, fifth, no_matter, "is not verified", sender},  // Amazon SES (554)

    // --- what one connection or message may carry: no fault
    {any, negative, no_matter, "too many messages*in this session", temp, messages_used_up},
    {any, negative, no_matter, "too many messages*this connection", temp, messages_used_up},
    {any, negative, no_matter, "too many messages*one connection", temp, messages_used_up},  // Exim
    {any, negative, no_matter, "too many recipients*in this session", temp,
     recipients_used_up},  // Cloudflare (452 4.5.3)
    {any, negative, no_matter, "too many recipients*this connection", temp, recipients_used_up},
    {any, negative, no_matter, "too many recipients*one connection", temp, recipients_used_up},
    {content_sent, negative, no_matter, "too many recipients", temp, too_many_for_one},
    {content_sent, negative, {0, 5, 3}, "", temp, too_many_for_one},  // RFC 3463 3.6

    // --- limits, told by text; 5xx not at RCPT
    {any, fourth, no_matter, "too many connections", conn},  // Dovecot, Exim, Postfix (421 4.7.0), SocketLabs
    {any, fourth, no_matter, "too many concurrent", conn},   // Exim, Outlook
    {any, fourth, no_matter, "too many active sessions", conn},  // Cyberimpact (454 4.7.0)
    {any, fourth, no_matter, "too many sessions", conn},
    {any, fourth, no_matter, "number of connections", conn},       // Dovecot (421 4.7.0 at AUTH)
    {any, fourth, no_matter, "concurrent connections", conn},      // Outlook (432 4.3.2)
    {any, fourth, no_matter, "sender thread limit", conn},         // Office 365 (432 4.3.2)
    {opening, fifth, no_matter, "too many connections", conn},     // 554 greetings
    {any, fourth, no_matter, "daily message quota", quota},        // Amazon SES (454)
    {not_rcpt, negative, no_matter, "sending quota", quota},       // Google, Amazon
    {not_rcpt, negative, no_matter, "daily user sending", quota},  // Google (550 5.4.5)
    {not_rcpt, negative, no_matter, "daily sending", quota},
    {not_rcpt, negative, no_matter, "daily limit", quota},
    {any, fourth, no_matter, "rate limit", rate},  // Postfix anvil, Google (450 4.2.1)
    {any, fourth, no_matter, "throttl", rate},     // Amazon SES (454), Yahoo
    {any, fourth, no_matter, "too fast", rate},
    {any, fourth, no_matter, "too many messages", rate},  // Exim, Postfix anvil (450 4.7.1)
    {any, fourth, no_matter, "too much mail", rate},

    // --- before there is a message: never its fault
    {opening, every, no_matter, "", connect},            // RFC 5321 3.1, RFC 7504: 4xx, 554, 521, 5xx to EHLO
    {only(Stage::starttls), every, no_matter, "", tls},  // RFC 3207 4: 454 and whatever is not 220
    {only(Stage::auth), every, no_matter, "", auth},     // RFC 4954 6: 454, 500, 504, …

    // --- the message
    {only(Stage::mail), code(503), no_matter, "", temp},   // RFC 5321 4.3.2: our session is out of step
    {not_rcpt, fifth, {0, 3, 4}, "", size},                // RFC 3463 3.4: message too big for system
    {message, code(552), {0, 7, open}, "", content},       // RFC 3463 3.8: a policy, such as Gmail's
    {only(Stage::mail), code(552), no_matter, "", size},   // RFC 1870 6.1
    {content_sent, code(552), {0, 2, open}, "", content},  // RFC 3463 3.3: a mailbox is full
    {content_sent, code(552), no_matter, "", size},        // RFC 1870 6.3
    {only(Stage::mail), fifth, no_matter, "", sender},     // RFC 5321 3.3
    {only(Stage::rcpt), fifth, no_matter, "", rcpt},       // RFC 5321 3.3
    {content_sent, fifth, no_matter, "", content},         // RFC 5321 3.3

    // --- any other 4xx (RFC 5321 4.2.1), and what is not understood: 2xx for 354, 354 for RCPT
    {any, every, no_matter, "", temp},  // fits always
};

}  // namespace

std::span<const ReplyRow> general_rows() {
  return of_everybody;
}

}  // namespace relayd::settle
