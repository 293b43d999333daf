#include "settle/verdict.hpp"

#include <algorithm>
#include <span>

#include "shared/base/ascii.hpp"

namespace relayd::settle {

namespace {

using smtp::EnhancedCode;
using smtp::Reply;
using enum ReplyClass;

constexpr std::string_view class_names[] = {"none", "connect", "tls",  "auth", "rate",    "quota",
                                            "conn", "sender",  "rcpt", "size", "content", "temp"};

// A set of stages.
struct Stages {
  unsigned bits;
  constexpr bool has(Stage stage) const { return bits >> static_cast<unsigned>(stage) & 1u; }
};
constexpr Stages from_to(Stage first, Stage last) {
  return {(2u << static_cast<unsigned>(last)) - (1u << static_cast<unsigned>(first))};
}
constexpr Stages only(Stage stage) {
  return from_to(stage, stage);
}
constexpr Stages any = from_to(Stage::connect, Stage::final_dot);
constexpr Stages opening = from_to(Stage::greeting, Stage::ehlo);
constexpr Stages sending = from_to(Stage::mail, Stage::final_dot);
constexpr Stages content_sent = from_to(Stage::data, Stage::final_dot);
// Where what a reply quotes is not a recipient's address, which anybody may choose.
constexpr Stages not_rcpt = {any.bits & ~only(Stage::rcpt).bits};

struct Codes {
  int first;
  int last;
};
constexpr Codes every{0, 999};
constexpr Codes fourth{400, 499};
constexpr Codes fifth{500, 599};
constexpr Codes negative{400, 599};

// A status_class of 0 leaves it open; so does a subject or detail of `open`.
constexpr std::uint16_t open = 1000;
constexpr EnhancedCode no_matter{0, open, open};

struct Row {
  Stages stages;
  Codes codes;
  EnhancedCode enhanced;
  std::string_view text;  // contained in the reply's, in any case; empty: any
  ReplyClass reply_class;
};

struct ProviderRow {
  std::string_view provider;
  Row row;
};

// What providers say in their own way; the first that fits. The code alone is not enough: they use one for
// several states.
constexpr ProviderRow provider_rows[] = {
    // --- Gmail: support.google.com/a/answer/3726730, "Gmail SMTP errors and codes". None of its texts
    // for 5.7.1 quotes a recipient, so that they may be read at RCPT.
    {"gmail", {sending, {550, 550}, {5, 4, 5}, "", quota}},                      // the day's limit of a user
    {"gmail", {sending, {550, 550}, {5, 7, 1}, "relay limit exceeded", quota}},  // the day's limit of a relay
    {"gmail", {sending, {550, 550}, {5, 7, 1}, "quota exceeded", quota}},        // the same, of an account
    {"gmail", {sending, {550, 550}, {5, 7, 1}, "invalid credentials", auth}},    // nobody it knows
    {"gmail", {sending, {450, 450}, {4, 2, 1}, "relay limit exceeded", rate}},   // the peak limit of a relay
    {"gmail", {any, {421, 421}, {4, 7, 0}, "unusual rate", rate}},
    {"gmail", {content_sent, {552, 552}, {5, 2, 3}, "", size}},

    // --- Mailgun: documentation of sending errors
    // One text for a sandbox domain, an inactive account and a recipient limit: not the message's fault.
    {"mailgun", {any, {421, 421}, no_matter, "not allowed to send", auth}},
    // A sandbox domain sends to authorised recipients alone.
    {"mailgun", {sending, {554, 554}, no_matter, "sandbox", sender}},

    // --- Microsoft 365: learn.microsoft.com, on SMTP AUTH client submission
    {"office365", {any, fifth, {5, 7, 30}, "", auth}},  // basic authentication is off
    // The day's limit of recipients.
    {"office365", {content_sent, {554, 554}, {5, 2, 0}, "SubmissionQuotaExceeded", quota}},
    // The mailbox that sends is full: it keeps what was sent.
    {"office365", {content_sent, {554, 554}, {5, 2, 2}, "STOREDRV.Submission", quota}},
    {"office365", {content_sent, {554, 554}, {5, 2, 0}, "SendAsDenied", sender}},
    {"office365", {sending, {550, 550}, {5, 7, 60}, "", sender}},  // no right to send as this sender
    // 5.2.251 to 5.2.255: too many refusals of one kind, now a pause.
    {"office365", {sending, {550, 550}, {5, 2, open}, "sender throttled", rate}},
    {"office365", {sending, {550, 550}, {5, 1, 8}, "bad outbound sender", auth}},  // the account is blocked

    // --- SendCloud publishes no table of SMTP replies that could be checked: the general rows hold.

    // --- SendGrid: documentation of error messages
    {"sendgrid", {any, {451, 451}, no_matter, "maximum credits exceeded", quota}},       // at AUTH
    {"sendgrid", {not_rcpt, {451, 451}, no_matter, "messaging limit", quota}},           // of the account
    {"sendgrid", {sending, {550, 550}, no_matter, "verified sender identity", sender}},  // after the message
    {"sendgrid", {sending, {550, 550}, no_matter, "unauthenticated senders not allowed", auth}},

    // --- Amazon SES: docs.aws.amazon.com/ses, "SMTP response codes", "email sending errors"; its 421 and its
    // three kinds of 454 fit the general rows. "Sending paused", or suspended, "for this account":
    {"ses", {sending, {554, 554}, no_matter, "for this account", auth}},
};

// Everybody's rows; the first that fits.
constexpr Row rows[] = {
    // --- the account, wherever it is told: a wrong password bounces nothing
    {any, {530, 530}, no_matter, "", auth},   // RFC 4954 6: authentication required
    {any, {534, 535}, no_matter, "", auth},   // RFC 4954 6: mechanism too weak; credentials invalid
    {any, {538, 538}, no_matter, "", auth},   // RFC 4954 6: encryption required for the mechanism
    {any, {432, 432}, {4, 7, 12}, "", auth},  // RFC 4954 6: password transition is needed
    {only(Stage::mail), fifth, no_matter, "authentication required", auth},  // 550, 553, 554 of many MTAs
    {only(Stage::mail), fifth, no_matter, "authentication is required", auth},
    {only(Stage::mail), fifth, no_matter, "not authenticated", auth},

    // --- limits, told by text; 5xx only where no recipient is quoted
    {any, fourth, no_matter, "too many connections", conn},  // Dovecot, Exim, Postfix (421 4.7.0), SocketLabs
    {any, fourth, no_matter, "too many concurrent", conn},   // Exim, Outlook
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
    {not_rcpt, fifth, {0, 3, 4}, "", size},                       // RFC 3463 3.4: message too big for system
    {only(Stage::mail), {552, 552}, no_matter, "", size},         // RFC 1870 6.1
    {content_sent, {552, 552}, {0, 2, open}, "", content},        // RFC 3463 3.3: a mailbox is full
    {content_sent, {552, 552}, no_matter, "", size},              // RFC 1870 6.3
    {only(Stage::mail), fifth, no_matter, "", sender},            // RFC 5321 3.3
    {content_sent, fifth, no_matter, "is not verified", sender},  // Amazon SES (554)
    {only(Stage::rcpt), fifth, no_matter, "", rcpt},              // RFC 5321 3.3
    {content_sent, fifth, no_matter, "", content},                // RFC 5321 3.3

    // --- any other 4xx (RFC 5321 4.2.1), and what is not understood: 2xx for 354, 354 for RCPT
    {any, every, no_matter, "", temp},  // fits always
};

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return ascii::lower(a) == ascii::lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool fits(EnhancedCode pattern, EnhancedCode code) {
  const bool subject = pattern.subject == open || pattern.subject == code.subject;
  const bool detail = pattern.detail == open || pattern.detail == code.detail;
  const bool status_class = !pattern.given() || pattern.status_class == code.status_class;
  return status_class && subject && detail;
}

bool fits(const Row& row, Stage stage, const Reply& reply) {
  return row.stages.has(stage) && reply.code >= row.codes.first && reply.code <= row.codes.last &&
         fits(row.enhanced, reply.enhanced) && contains(reply.text, row.text);
}

Action action_of(ReplyClass reply_class) {
  switch (reply_class) {
    case none:
      return Action::delivered;
    case sender:
    case rcpt:
    case size:
    case content:
      return Action::failed;
    default:
      return Action::retry;
  }
}

// A temporary reply concerns what the command was about, but for 421: the server closes (RFC 5321 3.8).
Scope scope_of_temp(Stage stage, int code) {
  const bool about_message = code / 100 == 4 && code != 421;
  if (!about_message) return Scope::connection;
  if (stage == Stage::rcpt) return Scope::recipient;
  return stage == Stage::mail || stage == Stage::data || stage == Stage::final_dot ? Scope::message
                                                                                   : Scope::connection;
}

Scope scope_of(ReplyClass reply_class, Stage stage, int code) {
  switch (reply_class) {
    case connect:
    case tls:
      return Scope::upstream;
    case auth:
    case rate:
    case quota:
    case conn:
      return Scope::lane;
    case sender:
      return Scope::sender;
    case rcpt:
      return Scope::recipient;
    case temp:
      return scope_of_temp(stage, code);
    default:
      return Scope::message;
  }
}

Verdict verdict_of(ReplyClass reply_class, Stage stage, int code) {
  return {action_of(reply_class), reply_class, scope_of(reply_class, stage, code), false};
}

}  // namespace

std::string_view to_string(ReplyClass reply_class) {
  return class_names[static_cast<std::size_t>(reply_class)];
}

std::vector<FittingRow> fitting_rows(Stage stage, const Reply& reply, std::string_view provider) {
  std::vector<FittingRow> fitting;
  std::size_t number = 0;
  for (const auto& [name, row] : provider_rows) {
    if (name == provider && fits(row, stage, reply)) fitting.push_back({number, row.reply_class});
    ++number;
  }
  for (const Row& row : rows) {
    if (fits(row, stage, reply)) fitting.push_back({number, row.reply_class});
    ++number;
  }
  return fitting;
}

std::size_t row_count() {
  return std::size(provider_rows) + std::size(rows);
}

Verdict judge(Stage stage, const Reply& reply, std::string_view provider) {
  if (stage == Stage::final_dot && reply.positive()) return verdict_of(none, stage, reply.code);
  if (stage == Stage::rcpt && too_many_recipients(reply))
    return {Action::retry, temp, Scope::recipient, false};
  return verdict_of(fitting_rows(stage, reply, provider).front().reply_class, stage, reply.code);
}

Verdict judge(Stage stage, Trouble trouble) {
  const bool before_message = stage < Stage::mail;
  switch (trouble) {
    case Trouble::unreachable:
      return verdict_of(connect, stage, 0);
    case Trouble::tls:
    case Trouble::no_starttls:
      return verdict_of(tls, stage, 0);
    case Trouble::no_mechanism:
    case Trouble::no_password:
      return verdict_of(auth, stage, 0);
    case Trouble::too_large:
      return {Action::failed, size, Scope::message, false, true};
    case Trouble::no_extension:
      return {Action::failed, sender, Scope::message, false, true};
    case Trouble::broken:
    case Trouble::malformed:
      if (before_message) return verdict_of(connect, stage, 0);
      break;
    case Trouble::cancelled:
      break;
  }
  return {Action::retry, temp, Scope::connection, stage == Stage::final_dot};
}

bool moves_on(const Verdict& verdict, const std::vector<std::string>& retry_next_on) {
  const bool refused = verdict.reply_class == rcpt || verdict.reply_class == content;
  if (verdict.in_doubt || refused || verdict.action == Action::delivered) return false;
  if (verdict.unfit) return true;
  const auto name = to_string(verdict.reply_class);
  return std::find(retry_next_on.begin(), retry_next_on.end(), name) != retry_next_on.end();
}

bool too_many_recipients(const Reply& reply) {
  const bool code = reply.code == 452 || reply.code == 552;
  const bool about_recipients = reply.enhanced.subject == 5 && reply.enhanced.detail == 3;  // RFC 3463 3.6
  return code && (!reply.enhanced.given() || about_recipients);
}

}  // namespace relayd::settle
