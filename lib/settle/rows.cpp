#include "settle/rows.hpp"

#include <algorithm>

namespace relayd::settle {

namespace {

using enum ReplyClass;
using namespace std::chrono_literals;

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
constexpr Stages message{only(Stage::mail).bits | content_sent.bits};
// Where it is not about a recipient, whom anybody may choose.
constexpr Stages not_rcpt = {any.bits & ~only(Stage::rcpt).bits};

constexpr Codes every{0, 999};
constexpr Codes second{200, 299};
constexpr Codes fourth{400, 499};
constexpr Codes fifth{500, 599};
constexpr Codes negative{400, 599};
constexpr Codes code(int one) {
  return {one, one};
}

constexpr smtp::EnhancedCode no_matter{0, open, open};

constexpr Extra half_an_hour{30min, false};  // a login before that makes it last longer
constexpr Extra at_once{0s, true};

// Providers of one kind.
constexpr std::string_view aliyun = "aliyun-dm alimail";
constexpr std::string_view google = "gmail workspace-relay";
constexpr std::string_view microsoft = "office365 office365-hve";
constexpr std::string_view microsoft_tenant = "office365 office365-hve m365-connector";
constexpr std::string_view netease = "163 126";
constexpr std::string_view tencent = "qq exmail";
constexpr std::string_view zoho = "zoho zeptomail";

// What providers say in their own way; the first that fits. The code alone is not enough: they use one for
// several states. "Memory": not found in a document, and a class that costs no mail.
constexpr ProviderRow of_providers[] = {
    // --- Alibaba, its numbered replies
    {aliyun, {only(Stage::auth), code(526), no_matter, "[1]", auth, half_an_hour}},  // too many failures
    {aliyun, {sending, code(440), no_matter, "", sender}},                           // it is not the login
    {aliyun, {sending, code(505), no_matter, "", temp, at_once}},                    // too many recipients
    {aliyun, {sending, code(510), no_matter, "", size}},
    {aliyun, {sending, code(541), no_matter, "", auth}},  // the account may not send

    // --- Azure Communication Services; memory
    {"azure-acs", {sending, code(451), {4, 5, 127}, "", rate}},

    // --- Cloudflare. Its 250 has an id unless all recipients are suppressed.
    {"cloudflare", {only(Stage::final_dot), code(250), no_matter, without_id, suppressed}},

    // --- Cyberimpact. Others say 452 4.2.2 of a recipient's mailbox.
    {"cyberimpact", {sending, code(452), {4, 2, 2}, "quota exceeded for the current period", quota}},

    // --- Gmail: support.google.com/a/answer/3726730, "Gmail SMTP errors and codes". None of its texts
    // for 5.7.1 is about a recipient, so that they may be read at RCPT.
    {google, {sending, code(550), {5, 4, 5}, "", quota}},                      // the day's limit of a user
    {google, {sending, code(550), {5, 7, 1}, "relay limit exceeded", quota}},  // the day's limit of a relay
    {google, {sending, code(550), {5, 7, 1}, "quota exceeded", quota}},        // the same, of an account
    {google, {sending, code(550), {5, 7, 1}, "invalid credentials", auth}},    // nobody it knows
    {google, {sending, code(450), {4, 2, 1}, "relay limit exceeded", rate}},   // the peak limit of a relay
    {google, {any, code(421), {4, 7, 0}, "unusual rate", rate}},
    {google, {content_sent, code(552), {5, 2, 3}, "", size}},
    {google, {sending, code(451), {4, 3, 0}, "multiple destination domains", temp, at_once}},

    // --- MailerSend: every error of validation
    {"mailersend", {content_sent, code(450), no_matter, "given data was invalid", content}},

    // --- Mailgun: documentation of sending errors
    // One text for a sandbox domain, an inactive account and a recipient limit: not the message's fault.
    {"mailgun", {any, code(421), no_matter, "not allowed to send", auth}},
    // A sandbox domain sends to authorised recipients alone.
    {"mailgun", {sending, code(554), no_matter, "sandbox", sender}},

    // --- Mailtrap: 535 is not the password alone
    {"mailtrap", {only(Stage::auth), code(535), no_matter, "too many connections", conn}},

    // --- Microsoft 365: learn.microsoft.com, on SMTP AUTH client submission
    {microsoft, {any, fifth, {5, 7, 30}, "", auth}},  // basic authentication is off
    // The day's limit of recipients.
    {microsoft, {content_sent, code(554), {5, 2, 0}, "SubmissionQuotaExceeded", quota}},
    // The mailbox that sends is full: it keeps what was sent.
    {microsoft, {content_sent, code(554), {5, 2, 2}, "STOREDRV.Submission", quota}},
    {microsoft, {content_sent, code(554), {5, 2, 0}, "SendAsDenied", sender}},
    {microsoft, {sending, code(550), {5, 7, 60}, "", sender}},  // no right to send as this sender
    // 5.2.251 to 5.2.255: too many refusals of one kind, now a pause.
    {microsoft, {sending, code(550), {5, 2, open}, "sender throttled", rate}},
    {microsoft, {sending, code(550), {5, 1, 8}, "bad outbound sender", auth}},  // the account is blocked
    // The token's application lacks the mailbox.
    {microsoft, {content_sent, code(430), {4, 2, 0}, "mailbox logon failure", auth}},
    {microsoft_tenant, {sending, code(550), {5, 7, 232}, "", quota}},  // the tenant's day, on trial
    {microsoft_tenant, {sending, code(550), {5, 7, 233}, "", quota}},  // the tenant's day
    {microsoft_tenant,
     {sending, code(550), {5, 7, 705}, "", auth}},  // the tenant sent too much of what it got
    {microsoft_tenant, {sending, code(550), {5, 7, 708}, "", auth}},  // no mail from this address of ours
    {microsoft_tenant, {sending, code(550), {5, 7, 750}, "", auth}},  // a domain that is not registered there

    // --- NetEase. Only the marks are the same in each language; the text of 553 is from memory.
    {netease, {any, code(421), no_matter, "HL:ICC", conn}},
    {netease, {any, code(421), no_matter, "HL:IFC", rate}},
    {netease, {sending, code(451), no_matter, "MI:DMC", temp, at_once}},  // messages a connection
    {netease, {sending, code(451), no_matter, "RP:DRC", rate}},           // recipients
    {netease, {sending, code(553), no_matter, "must equal authorized user", sender}},

    // --- Oracle: docs.oracle.com, Email Delivery, "Troubleshooting". Limits are of the tenancy; the wrong
    // logins, of our address.
    {"oci", {sending, code(455), no_matter, "messages sent per minute", rate}},
    {"oci", {sending, code(455), no_matter, "messages sent per day", quota}},
    {"oci", {any, code(421), no_matter, "too many auth failures", auth, half_an_hour}},
    {"oci", {only(Stage::final_dot), code(254), no_matter, "", suppressed}},

    // --- SendCloud publishes no table of SMTP replies that could be checked: the general rows hold.

    // --- SendGrid: documentation of error messages
    {"sendgrid", {any, code(451), no_matter, "maximum credits exceeded", quota}},       // at AUTH
    {"sendgrid", {not_rcpt, code(451), no_matter, "messaging limit", quota}},           // of the account
    {"sendgrid", {sending, code(550), no_matter, "verified sender identity", sender}},  // after the message
    {"sendgrid", {sending, code(550), no_matter, "unauthenticated senders not allowed", auth}},

    // --- Amazon SES: docs.aws.amazon.com/ses, "SMTP response codes", "email sending errors"; its 421 and its
    // three kinds of 454 fit the general rows. "Sending paused", or suspended, "for this account":
    {"ses", {sending, code(554), no_matter, "for this account", auth}},
    // "Access denied: User … is not authorized to perform ses:SendRawEmail": the policy of its user.
    {"ses", {sending, code(554), no_matter, "access denied*not authorized to perform", auth}},

    // --- SparkPost; memory
    {"sparkpost", {sending, code(421), no_matter, "limit", rate}},

    // --- Tencent's mailboxes; memory
    {tencent, {content_sent, code(550), no_matter, "frequency", rate}},

    // --- Yandex: From or Sender that the account does not own
    {"yandex", {content_sent, code(550), {5, 7, 0}, "", sender}},

    // --- Zoho says of the sender at RCPT, too
    {zoho, {sending, code(553), no_matter, "relaying disallowed as", sender}},
};

// Everybody's rows; the first that fits.
constexpr Row of_everybody[] = {
    {only(Stage::final_dot), second, no_matter, "", none},  // RFC 5321 4.2.1: taken, whatever the code

    // --- the account, wherever it is told: a wrong password bounces nothing
    {any, code(530), no_matter, "", auth},   // RFC 4954 6: authentication required
    {any, {534, 535}, no_matter, "", auth},  // RFC 4954 6: mechanism too weak; credentials invalid
    {any, code(538), no_matter, "", auth},   // RFC 4954 6: encryption required for the mechanism
    {any, code(432), {4, 7, 12}, "", auth},  // RFC 4954 6: password transition is needed
    {only(Stage::mail), fifth, no_matter, "authentication required", auth},  // 550, 553, 554 of many MTAs
    {only(Stage::mail), fifth, no_matter, "authentication is required", auth},
    {only(Stage::mail), fifth, no_matter, "not authenticated", auth},
    {only(Stage::greeting), code(421), no_matter, "auth failures", auth, half_an_hour},

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

    // --- what one connection may carry: no fault
    {any, negative, no_matter, "too many messages*in this session", temp, at_once},
    {any, negative, no_matter, "too many messages*this connection", temp, at_once},
    {any, negative, no_matter, "too many messages*one connection", temp, at_once},  // Exim
    {any, negative, no_matter, "too many recipients*in this session", temp,
     at_once},  // Cloudflare (452 4.5.3)
    {any, negative, no_matter, "too many recipients*this connection", temp, at_once},
    {any, negative, no_matter, "too many recipients*one connection", temp, at_once},

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

std::span<const ProviderRow> provider_rows() {
  return of_providers;
}

std::span<const Row> general_rows() {
  return of_everybody;
}

bool is_one_of(std::string_view provider, std::string_view providers) {
  while (!provider.empty() && !providers.empty()) {
    const std::string_view name = providers.substr(0, providers.find(' '));
    if (name == provider) return true;
    providers.remove_prefix(std::min(name.size() + 1, providers.size()));
  }
  return false;
}

}  // namespace relayd::settle
