// The table of replies, row by row: what providers document, at each stage where they say it.
#include "settle/rows.hpp"

#include <gtest/gtest.h>

#include <iterator>
#include <sstream>

namespace relayd::settle {
namespace {

using namespace std::chrono_literals;

const std::vector<Stage> at_greeting{Stage::greeting}, at_ehlo{Stage::ehlo}, at_starttls{Stage::starttls},
    at_auth{Stage::auth}, at_mail{Stage::mail}, at_rcpt{Stage::rcpt}, at_dot{Stage::final_dot},
    mail_and_dot{Stage::mail, Stage::data, Stage::final_dot},
    mail_to_dot{Stage::mail, Stage::rcpt, Stage::data, Stage::final_dot},
    every_stage{Stage::greeting, Stage::ehlo, Stage::auth,     Stage::mail,
                Stage::rcpt,     Stage::data, Stage::final_dot};
constexpr Extra at_once{.at_once = true};

struct Case {
  std::string_view providers;  // with spaces between them; empty: any other
  std::vector<Stage> stages;
  const char* line;
  ReplyClass reply_class;
  Extra extra = {};
};

// As the providers' documentation quotes them, where it does.
const Case cases[] = {
    {"gmail workspace-relay", at_dot, "550 5.4.5 Daily user sending limit exceeded. - gsmtp",
     ReplyClass::quota},
    {"gmail workspace-relay", at_rcpt, "550 5.4.5 Daily SMTP relay limit exceeded for user. - gsmtp",
     ReplyClass::quota},
    {"gmail workspace-relay", at_rcpt, "550 5.7.1 Daily SMTP relay limit exceeded for customer. - gsmtp",
     ReplyClass::quota},
    {"gmail workspace-relay", at_mail, "550 5.7.1 Email quota exceeded. - gsmtp", ReplyClass::quota},
    {"gmail workspace-relay", at_mail, "550 5.7.1 Invalid credentials for relay. - gsmtp", ReplyClass::auth},
    {"gmail workspace-relay", at_dot,
     "550 5.7.1 Our system has detected that this message is likely spam. - gsmtp", ReplyClass::content},
    {"gmail workspace-relay", at_mail, "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp",
     ReplyClass::rate},
    {"gmail workspace-relay", at_rcpt, "450 4.2.1 The user is receiving mail too quickly. - gsmtp",
     ReplyClass::temp},
    {"gmail workspace-relay", at_dot, "421 4.7.0 Our system has detected an unusual rate of unsolicited mail",
     ReplyClass::rate},
    {"gmail workspace-relay", at_dot, "552 5.2.3 Your message exceeded Google's message size limits. - gsmtp",
     ReplyClass::size},
    {"gmail workspace-relay", at_auth, "454 4.7.0 Cannot authenticate due to a temporary system problem",
     ReplyClass::auth},
    {"gmail workspace-relay", at_auth, "454 4.7.0 Too many login attempts, please try again later.",
     ReplyClass::auth},
    {"gmail workspace-relay", at_auth, "535 5.7.8 Username and Password not accepted. - gsmtp",
     ReplyClass::auth},
    {"gmail workspace-relay", at_mail, "530 5.7.0 Must issue a STARTTLS command first. - gsmtp",
     ReplyClass::auth},

    {"mailgun", at_dot, "421 Domain example.com is not allowed to send: recipient limit exceeded",
     ReplyClass::auth},
    {"", at_dot, "421 Domain example.com is not allowed to send: recipient limit exceeded", ReplyClass::temp},
    {"mailgun", at_dot, "554 Sandbox subdomains are for test purposes only.", ReplyClass::sender},

    {"office365 office365-hve", at_mail, "432 4.3.2 Concurrent connections limit exceeded.",
     ReplyClass::conn},
    {"office365 office365-hve", at_dot, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
     ReplyClass::conn},
    {"office365 office365-hve", at_dot, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
     ReplyClass::temp},
    {"office365 office365-hve", at_auth, "504 5.7.4 Unrecognized authentication type", ReplyClass::auth},
    {"office365 office365-hve", at_auth,
     "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", ReplyClass::auth},
    {"office365 office365-hve", at_mail, "530 5.7.57 Client not authenticated to send mail.",
     ReplyClass::auth},
    {"office365 office365-hve", at_auth,
     "550 5.7.30 Basic authentication is not supported for Client Submission.", ReplyClass::auth},
    {"office365 office365-hve", at_dot, "550 5.7.30 Basic authentication is not supported", ReplyClass::auth},
    {"office365 office365-hve", at_dot,
     "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException.MapiException",
     ReplyClass::quota},
    {"office365 office365-hve", at_dot,
     "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiException",
     ReplyClass::quota},
    {"office365 office365-hve", at_dot,
     "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
     ReplyClass::sender},
    {"office365 office365-hve", at_dot, "554 5.2.0 STOREDRV.Submission.Exception:Something",
     ReplyClass::content},
    {"office365 office365-hve", at_dot,
     "550 5.7.60 SMTP; Client does not have permissions to send as this sender", ReplyClass::sender},
    {"office365 office365-hve", at_dot,
     "550 5.2.252 Sender throttled due to continuous send as denied errors.", ReplyClass::rate},
    {"office365 office365-hve", at_dot, "550 5.1.8 Access denied, bad outbound sender", ReplyClass::auth},

    {"sendgrid", at_auth, "451 Authentication failed: Maximum credits exceeded", ReplyClass::quota},
    {"sendgrid", at_dot, "451 You have exceeded your messaging limits", ReplyClass::quota},
    {"sendgrid", at_dot, "550 The from address does not match a verified Sender Identity.",
     ReplyClass::sender},
    {"sendgrid", at_mail, "550 Unauthenticated senders not allowed", ReplyClass::auth},

    {"ses", at_greeting, "421 Too many concurrent SMTP connections", ReplyClass::conn},
    {"ses", at_dot, "454 Throttling failure: Maximum sending rate exceeded.", ReplyClass::rate},
    {"ses", at_dot, "454 Throttling failure: Daily message quota exceeded.", ReplyClass::quota},
    {"ses", at_auth, "454 Temporary authentication failure", ReplyClass::auth},
    {"ses", at_auth, "535 Authentication Credentials Invalid", ReplyClass::auth},
    {"ses", at_dot, "554 Message rejected: Email address is not verified. The following identities",
     ReplyClass::sender},
    {"ses", at_dot, "554 Message rejected: Sending paused for this account.", ReplyClass::auth},
    {"ses", at_dot, "554 Transaction failed: Invalid email address", ReplyClass::content},

    // --- documented since: a line of the providers' pages each, at the stages that they give
    {"gmail workspace-relay", mail_to_dot, "550 5.4.5 Daily SMTP relay limit exceeded for user.",
     ReplyClass::quota},
    {"gmail workspace-relay", mail_to_dot, "550 5.7.1 Daily SMTP relay limit exceeded for customer.",
     ReplyClass::quota},
    {"gmail workspace-relay", mail_to_dot, "450 4.2.1 Peak SMTP relay limit exceeded for customer.",
     ReplyClass::rate},
    {"gmail workspace-relay", mail_to_dot, "421 4.7.0 Our system has detected an unusual rate of mail",
     ReplyClass::rate},
    {"gmail workspace-relay", at_dot,
     "552 5.7.0 This message was blocked because its content presents a risk", ReplyClass::content},
    {"gmail workspace-relay", mail_to_dot,
     "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again.",
     ReplyClass::temp, at_once},
    {"workspace-relay", at_ehlo, "421 4.7.0 Try again later, closing connection. (EHLO)",
     ReplyClass::connect},

    {"office365 office365-hve", mail_to_dot, "432 4.3.2 Concurrent connections limit exceeded.",
     ReplyClass::conn},
    {"office365 office365-hve", at_auth, "535 5.7.3 Authentication unsuccessful", ReplyClass::auth},
    {"office365 office365-hve m365-connector", mail_to_dot,
     "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit",
     ReplyClass::quota},
    {"office365 office365-hve m365-connector", mail_to_dot,
     "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit",
     ReplyClass::quota},
    {"office365 office365-hve m365-connector", mail_to_dot,
     "550 5.7.705 Access denied, tenant has exceeded threshold", ReplyClass::auth},
    {"office365 office365-hve m365-connector", mail_to_dot,
     "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP", ReplyClass::auth},
    {"office365 office365-hve m365-connector", mail_to_dot,
     "550 5.7.750 Service unavailable. Client blocked from sending from unregistered domains",
     ReplyClass::auth},
    {"office365 office365-hve", at_dot, "430 4.2.0 STOREDRV; mailbox logon failure; [BeginDiagnosticData]",
     ReplyClass::auth},
    {"office365 office365-hve", at_dot, "430 4.2.0 STOREDRV; something else", ReplyClass::temp},
    {"office365-hve", at_auth, "501 5.5.127 Token will expire soon", ReplyClass::auth},
    {"office365-hve", at_auth, "501 5.5.124 Malformed", ReplyClass::auth},

    {"ses", at_mail, "501 Invalid MAIL FROM address provided", ReplyClass::sender},
    {"ses", mail_to_dot,
     "554 Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendRawEmail' on "
     "resource `arn:aws:ses:eu-west-1:1:identity/a@example.com'",
     ReplyClass::auth},
    {"sendgrid",
     {Stage::auth, Stage::final_dot},
     "451 Authentication failed: Maximum credits exceeded",
     ReplyClass::quota},
    {"sendgrid",
     {Stage::auth, Stage::final_dot},
     "451 You have exceeded your messaging limits",
     ReplyClass::quota},
    {"mailgun", mail_to_dot, "421 Domain mg.example.com is not allowed to send: inactive", ReplyClass::auth},
    {"mailgun", mail_to_dot, "554 Sandbox subdomains are for test purposes only.", ReplyClass::sender},

    {"mailtrap", at_auth, "535 5.7.8 Too many connections per account", ReplyClass::conn},
    {"mailtrap", at_auth, "535 5.7.8 Invalid credentials", ReplyClass::auth},
    {"mailtrap", at_dot, "554 5.7.1 From: Header does not match the sender's domain", ReplyClass::sender},
    {"mailtrap", mail_and_dot, "550 5.7.1 Sending from domain is not allowed", ReplyClass::sender},
    {"mailersend", at_dot, "450 The given data was invalid. The from.email domain must be verified.",
     ReplyClass::content},
    {"mailersend", at_dot, "450 Try again later", ReplyClass::temp},
    {"sparkpost", at_dot, "550 5.7.1 Unconfigured Sending Domain <example.com>", ReplyClass::sender},
    {"sparkpost", at_auth, "535 5.7.8 The key lacks SMTP", ReplyClass::auth},
    {"sparkpost", at_dot, "550 5.6.0 X-MSYS-API is no JSON", ReplyClass::content},
    {"sparkpost", at_dot, "421 4.7.0 Exceeded sending limit", ReplyClass::rate},
    {"mailjet", at_dot, "550 Sender not allowed", ReplyClass::sender},
    {"zoho zeptomail", mail_to_dot, "553 Relaying disallowed as app@example.com", ReplyClass::sender},
    {"zeptomail", at_dot, "552 5.7.1 Virus detected", ReplyClass::content},
    {"azure-acs", at_dot, "451 4.5.127 Message rejected. Excessive message rate from sender.",
     ReplyClass::rate},

    {"oci", mail_and_dot, "455 Maximum messages sent per minute reached : limit is 10", ReplyClass::rate},
    {"oci", mail_and_dot, "455 Maximum messages sent per day reached : limit is 200", ReplyClass::quota},
    {"oci",
     {Stage::greeting, Stage::mail},
     "421 Too many auth failures, try again later",
     ReplyClass::auth,
     {.wait = 30min}},
    {"oci", at_dot, "254 4.7.1 Suppression for user <u> to RCPT <b@example.org>", ReplyClass::suppressed},
    {"oci", at_dot, "250 Ok", ReplyClass::none},

    {"cloudflare", at_rcpt, "452 4.5.3 Too many recipients in this session. Open a new session for the rest.",
     ReplyClass::temp, at_once},
    {"cloudflare", at_dot, "250 2.0.0 Ok", ReplyClass::suppressed},
    {"cloudflare", at_dot, "250 2.0.0 Ok <abc123@example.com>", ReplyClass::none},
    {"cloudflare", at_mail, "550 5.7.1 Sender denied", ReplyClass::sender},
    {"socketlabs", every_stage, "421 4.4.5 Too many connections", ReplyClass::conn},
    {"icloud", at_dot, "550 5.7.1 You have exceeded your daily sending limit", ReplyClass::quota},
    {"brevo", at_auth, "535 5.7.8 Authentication failed", ReplyClass::auth},
    {"brevo", at_auth, "525 5.7.1 Unauthorized IP address", ReplyClass::auth},
    {"yandex", at_dot, "550 5.7.0 Sender or From is not owned by the user", ReplyClass::sender},

    {"aliyun-dm alimail", at_auth, "526 Authentication failure[0]", ReplyClass::auth},
    {"aliyun-dm alimail", at_auth, "526 Authentication failure[1]", ReplyClass::auth, {.wait = 30min}},
    {"aliyun-dm alimail", mail_to_dot, "440 mail from account doesn't conform with authentication",
     ReplyClass::sender},
    {"aliyun-dm alimail", mail_to_dot, "505 Too many recipients", ReplyClass::temp, at_once},
    {"aliyun-dm alimail", mail_to_dot, "510 Too big", ReplyClass::size},
    {"aliyun-dm alimail", mail_to_dot, "541 The account may not send", ReplyClass::auth},
    {"aliyun-dm alimail", at_dot, "554 Reject by content spam", ReplyClass::content},

    {"163 126", {Stage::greeting, Stage::mail}, "421 HL:ICC 163 smtp1,xxx", ReplyClass::conn},
    {"163 126", {Stage::greeting, Stage::mail}, "421 HL:IFC 163 smtp1,xxx", ReplyClass::rate},
    {"163 126", mail_to_dot, "451 MI:DMC 163 smtp1,xxx", ReplyClass::temp, at_once},
    {"163 126", mail_to_dot, "451 RP:DRC 163 smtp1,xxx", ReplyClass::rate},
    {"163 126", at_dot, "554 DT:SPM 163 smtp1,xxx", ReplyClass::content},
    {"163 126", mail_to_dot, "553 Mail from must equal authorized user", ReplyClass::sender},
    {"qq exmail", at_auth, "535 Login Fail. Please enter your authorization code to login.",
     ReplyClass::auth},
    {"qq exmail", at_dot, "550 Sender frequency limited", ReplyClass::rate},

    {"cyberimpact",
     {Stage::auth, Stage::mail},
     "454 4.7.0 Too many active sessions for user/account/IP address",
     ReplyClass::conn},
    {"cyberimpact", at_mail, "452 4.2.2 Quota exceeded for the current period", ReplyClass::quota},
    {"gmail", at_rcpt, "452 4.2.2 The recipient's inbox is out of storage space.", ReplyClass::temp},
    {"",
     {Stage::auth, Stage::mail},
     "550 Too many messages. Try again in 92 seconds.",
     ReplyClass::rate,
     {.wait = 92s}},
    {"postmark reachmail mandrill ses", at_dot, "250 Ok", ReplyClass::none},

    // --- everybody
    {"", at_mail, "530 5.7.0 no", ReplyClass::auth},
    {"", at_mail, "535 5.7.8 no", ReplyClass::auth},
    {"", at_mail, "538 5.7.11 no", ReplyClass::auth},
    {"", at_mail, "432 4.7.12 A password transition is needed", ReplyClass::auth},
    {"", at_mail, "550 5.7.1 Authentication required", ReplyClass::auth},
    {"", at_mail, "554 Authentication is required", ReplyClass::auth},
    {"", at_mail, "553 Client was not authenticated", ReplyClass::auth},
    {"", at_greeting, "421 4.7.0 Error: Too many connections", ReplyClass::conn},
    {"", at_auth, "421 4.7.0 Maximum number of connections from user+IP exceeded", ReplyClass::conn},
    {"", at_greeting, "554 Too many connections", ReplyClass::conn},
    {"", at_dot, "550 5.7.1 Sending quota exceeded", ReplyClass::quota},
    {"", at_dot, "550 5.4.5 Daily user sending limit exceeded", ReplyClass::quota},
    {"", at_dot, "550 5.4.5 Daily sending limit reached", ReplyClass::quota},
    {"", at_dot, "550 Daily limit reached", ReplyClass::quota},
    {"", at_rcpt, "450 4.2.1 rate limit exceeded", ReplyClass::rate},
    {"", at_mail, "421 Throttled", ReplyClass::rate},
    {"", at_mail, "451 You send too fast", ReplyClass::rate},
    {"", at_mail, "450 4.7.1 Error: too many messages", ReplyClass::rate},
    {"", at_mail, "451 Too much mail from you", ReplyClass::rate},
    {"", at_ehlo, "550 no", ReplyClass::connect},
    {"", at_starttls, "454 TLS not available", ReplyClass::tls},
    {"", at_auth, "504 5.5.4 no mechanism", ReplyClass::auth},
    {"", at_dot, "554 5.3.4 Too big", ReplyClass::size},
    {"", at_mail, "552 Too big", ReplyClass::size},
    {"", at_dot, "552 5.2.2 Over quota", ReplyClass::content},
    {"", at_dot, "552 Too big", ReplyClass::size},
    {"", at_mail, "553 5.7.1 Not owned", ReplyClass::sender},
    {"", at_rcpt, "550 5.1.1 No such user", ReplyClass::rcpt},
    {"", at_dot, "554 5.7.1 Spam", ReplyClass::content},
    {"", at_mail, "451 4.3.0 Later", ReplyClass::temp},
    {"", at_dot, "299 Taken", ReplyClass::none},
    {"", at_greeting, "421 Too many auth failures", ReplyClass::auth, {.wait = 30min}},
    {"", at_dot, "554 Greylisted, retry after 5 minutes", ReplyClass::rate, {.wait = 5min}},
    {"", mail_and_dot, "550 5.7.1 Unconfigured sending domain", ReplyClass::sender},
    {"", mail_and_dot, "550 Sender not allowed", ReplyClass::sender},
    {"", mail_and_dot, "553 Relaying disallowed as app", ReplyClass::sender},
    {"", mail_and_dot, "550 From does not match the sender", ReplyClass::sender},
    {"", mail_and_dot, "550 This domain is not allowed", ReplyClass::sender},
    {"", mail_and_dot, "550 This is not a verified sender", ReplyClass::sender},
    {"", at_rcpt, "553 Relaying disallowed as app", ReplyClass::rcpt},
    {"", mail_to_dot, "451 Too many messages in this session", ReplyClass::temp, at_once},
    {"", mail_to_dot, "421 Too many messages for this connection", ReplyClass::temp, at_once},
    {"", mail_to_dot, "421 Too many messages in one connection", ReplyClass::temp, at_once},
    {"", mail_to_dot, "550 Too many recipients in this session", ReplyClass::temp, at_once},
    {"", mail_to_dot, "452 4.5.3 Too many recipients for this connection", ReplyClass::temp, at_once},
    {"", mail_to_dot, "450 Too many recipients in one connection", ReplyClass::temp, at_once},
    {"", at_mail, "421 Too many concurrent SMTP connections", ReplyClass::conn},
    {"", at_mail, "450 Too many sessions", ReplyClass::conn},
    {"", at_mail, "503 5.5.1 Sender already given", ReplyClass::temp},
    {"", at_rcpt, "503 5.5.1 Bad sequence of commands", ReplyClass::rcpt},
    {"", mail_and_dot, "552 5.7.0 Policy", ReplyClass::content},
};

// One reply at one stage of one provider.
struct Told {
  std::string provider;
  Stage stage;
  smtp::Reply reply;
  const Case& expected;
};

smtp::Reply reply(const std::string& line) {
  smtp::ReplyParser parser;
  parser.feed(line + "\r\n");
  EXPECT_EQ(parser.state(), smtp::ReplyParser::State::complete) << line;
  return parser.take();
}

std::vector<Told> all_told() {
  std::vector<Told> all;
  for (const Case& one : cases) {
    std::istringstream names{std::string(one.providers)};
    std::vector<std::string> providers{std::istream_iterator<std::string>(names), {}};
    if (providers.empty()) providers.emplace_back();
    for (const std::string& provider : providers)
      for (const Stage stage : one.stages) all.push_back({provider, stage, reply(one.line), one});
  }
  return all;
}

TEST(Rows, SayWhatTheReplyMeans) {
  for (const Told& told : all_told()) {
    SCOPED_TRACE(told.provider + " at " + std::string(to_string(told.stage)) + ": " + told.expected.line);
    const Verdict verdict = judge(told.stage, told.reply, told.provider);
    EXPECT_EQ(to_string(verdict.reply_class), to_string(told.expected.reply_class));
    EXPECT_EQ(verdict.at_once, told.expected.extra.at_once);
    EXPECT_EQ(verdict.wait, told.expected.extra.wait);
    EXPECT_TRUE(!verdict.at_once || verdict.scope == Scope::connection);
  }
}

// For each row there is a case that the rows after it would get wrong.
TEST(Rows, EachMatters) {
  std::vector<bool> matters(row_count());
  for (const Told& told : all_told()) {
    const std::vector<FittingRow> fitting = fitting_rows(told.stage, told.reply, told.provider);
    ASSERT_FALSE(fitting.empty());
    if (fitting.size() == 1 || fitting[1].verdict != fitting[0].verdict) matters[fitting[0].number] = true;
  }
  for (std::size_t number = 0; number < matters.size(); ++number)
    EXPECT_TRUE(matters[number]) << "row " << number << " of the table has no case of its own";
}

// No preset has a row by accident: each that is named is held to a reply of its own.
TEST(Rows, EachProviderOfARowMatters) {
  std::size_t number = 0;
  for (const ProviderRow& row : provider_rows()) {
    std::istringstream names{std::string(row.providers)};
    for (std::string name; names >> name;) {
      bool told_of = false;
      for (const Told& told : all_told()) {
        if (told.provider != name) continue;
        const auto fitting = fitting_rows(told.stage, told.reply, name);
        told_of |= fitting[0].number == number && fitting[1].verdict != fitting[0].verdict;
      }
      EXPECT_TRUE(told_of) << "row " << number << " of " << name;
    }
    ++number;
  }
}

TEST(Rows, OfAProviderAreItsOwn) {
  for (const Told& told : all_told())
    EXPECT_EQ(judge(told.stage, told.reply, "other"), judge(told.stage, told.reply)) << told.expected.line;
  EXPECT_TRUE(is_one_of("126", "163 126"));
  EXPECT_FALSE(is_one_of("12", "163 126"));
  EXPECT_FALSE(is_one_of("", "163 126"));
}

}  // namespace
}  // namespace relayd::settle
