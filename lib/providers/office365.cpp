// Microsoft: client submission of Microsoft 365, high volume email, the connector of a tenant, and personal
// mailboxes.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> of_submission = {
    {any, fifth, {5, 7, 30}, "", auth},                                      // basic authentication is off
    {content_sent, code(554), {5, 2, 0}, "SubmissionQuotaExceeded", quota},  // the day's limit of recipients
    // The mailbox that sends is full: it keeps what was sent.
    {content_sent, code(554), {5, 2, 2}, "STOREDRV.Submission", quota},
    {content_sent, code(554), {5, 2, 0}, "SendAsDenied", sender},  // guess
    {sending, code(550), {5, 7, 60}, "", sender},                  // guess: no right to send as this sender
    // 5.2.251 to 5.2.255: too many refusals of one kind, now a pause.
    {sending, code(550), {5, 2, open}, "sender throttled", rate},
    {sending, code(550), {5, 1, 8}, "bad outbound sender", auth},  // the account is blocked
    // The token's application lacks the mailbox; users' reports.
    {content_sent, code(430), {4, 2, 0}, "mailbox logon failure", auth},
};

const std::vector<ReplyRow> of_tenant = {
    {sending, code(550), {5, 7, 232}, "", quota},  // the tenant's day, on trial
    {sending, code(550), {5, 7, 233}, "", quota},  // the tenant's day
    // Guess, in no document that was read:
    {sending, code(550), {5, 7, 705}, "", auth},  // the tenant sent too much of what it got
    {sending, code(550), {5, 7, 708}, "", auth},  // no mail from this address of ours
    {sending, code(550), {5, 7, 750}, "", auth},  // a domain that is not registered there
};

std::vector<ReplyRow> of_both() {
  std::vector<ReplyRow> rows = of_submission;
  rows.insert(rows.end(), of_tenant.begin(), of_tenant.end());
  return rows;
}

constexpr IdPattern id{.before = "ok <", .end = '>'};  // guess: OK <ID> [Hostname=…]
constexpr std::string_view taken = "250 2.0.0 OK <{}@sandbox.example> [Hostname=sandbox.example]";  // guess

const std::vector<std::string_view> extensions = {"PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "8BITMIME",
                                                  "SMTPUTF8"};

constexpr Behaviour tenant_quota{
    "tenant-over-quota", Stage::rcpt,
    "550 5.7.233 Your message can't be sent because your tenant exceeded its daily limit"};
constexpr Behaviour trial_quota{
    "trial-over-quota", Stage::rcpt,
    "550 5.7.232 Your message can't be sent because your trial tenant has exceeded its daily limit"};

constexpr Behaviour refuse_password{"refuse-password", Stage::auth, "535 5.7.3 Authentication unsuccessful"};

const std::vector<Behaviour> behaviours = {
    refuse_password,
    {"too-many-connections", Stage::mail, "432 4.3.2 Concurrent connections limit exceeded."},
    {"throttle", Stage::mail, "550 5.2.251 Sender throttled due to continuous invalid recipients errors"},
    {"over-quota", Stage::final_dot,
     "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"},
    {"mailbox-full", Stage::final_dot,
     "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException"},
    {"refuse-sender", Stage::final_dot, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException"},
    {"account-blocked", Stage::mail, "550 5.1.8 Access denied, bad outbound sender"},
    tenant_quota,
    trial_quota,
};

std::vector<Behaviour> with(const Behaviour& one) {
  std::vector<Behaviour> all = behaviours;
  all.push_back(one);
  return all;
}

constexpr std::string_view source =
    "learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements and "
    "how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth; recipients a message, SIZE, SPF and "
    "the "
    "mailbox logon failure from third-party pages";

}  // namespace

Providers office365() {
  using namespace std::chrono_literals;
  using config::Quota;
  return {
      {
          .name = "office365",
          .regions = {{"", "smtp.office365.com"}},
          .endpoints = {starttls(587)},
          .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::xoauth2},  // it offers no PLAIN
          .oauth2 = config::OAuth2Provider::microsoft,
          .account = {.form = UsernameForm::address,
                      .hint = "the full address of a mailbox that may use SMTP AUTH, and its password or an "
                              "access token"},
          // A tenant may set its own number of recipients a message, 500 unless it does.
          .limits = {.connections = 3,
                     .recipients_per_message = 500,
                     .rate = std::vector<config::Rate>{{30, 1min, config::Counted::messages}},
                     .quota = std::vector<Quota>{{10'000, Quota::Period::sliding, 24h}}},
          .replies = of_both(),
          .id = id,
          .spf = "spf.protection.outlook.com",
          .selectors = {"selector1", "selector2"},
          .extensions = extensions,
          .taken = taken,
          .behaviours = with({"no-passwords", Stage::auth,
                              "535 5.7.139 Authentication unsuccessful, basic authentication is disabled."}),
          .notes = {"Passwords are off by default from the end of December 2026, and not to be had on newer "
                    "tenants.",
                    "SMTP AUTH must be on for the tenant and the mailbox.",
                    "A shared mailbox: log in as its delegate, with the shared address in MAIL FROM.",
                    "A tenant has a limit of external recipients a day by its licences: set `quota_total`."},
          .source = source,
      },
      {
          .name = "office365-hve",
          .regions = {{"", "smtp-hve.office365.com"}},
          .endpoints = {starttls(587)},
          .mechanisms = {sasl::Mechanism::xoauth2},
          .oauth2 = config::OAuth2Provider::microsoft,
          .account = {.form = UsernameForm::address,
                      .hint = "the full address of an HVE account, and an access token (`oauth2`)"},
          .replies = of_both(),
          .id = id,
          .extensions = extensions,
          .taken = taken,
          .behaviours = with({"token-ends-soon", Stage::auth, "501 5.5.127 Token will expire soon"}),
          .notes = {"It takes access tokens alone: set `oauth2`.",
                    "A token with less than 10 minutes left is refused."},
          .source = source,
      },
      {
          .name = "outlook-personal",
          .regions = {{"", "smtp-mail.outlook.com"}},
          .endpoints = {starttls(587)},
          .mechanisms = {sasl::Mechanism::xoauth2},
          .oauth2 = config::OAuth2Provider::microsoft,
          .account = {.form = UsernameForm::address,
                      .hint = "the address of the account, and an access token (`oauth2`, with `tenant: "
                              "consumers`)"},
          .extensions = extensions,
          .taken = taken,
          .behaviours = {refuse_password},  // guess
          .notes = {"It takes access tokens alone: set `oauth2`, with `tenant: consumers`; the person signs "
                    "in by `relayd oauth login`.",
                    "Its limits are low, and published nowhere."},
          .source = "third-party pages, not noted",
      },
      {
          .name = "m365-connector",
          .regions = {{"*", "*.mail.protection.outlook.com"}},
          .example_region = "example-com",
          .endpoints = {starttls(25)},
          .account = {.hint = "none: the connector knows this machine by its address or its certificate"},
          .replies = of_tenant,
          .spf = "spf.protection.outlook.com",
          .selectors = {"selector1", "selector2"},
          .extensions = extensions,
          .taken = taken,
          .behaviours = {{"not-registered", Stage::rcpt,
                          "550 5.7.750 Service unavailable. Client blocked from sending from unregistered "
                          "domains"},
                         tenant_quota,
                         trial_quota},
          .notes = {"`region` is the tenant's name in its MX host, such as example-com.",
                    "Many networks block port 25, which is the only one."},
          .source = source,
      },
  };
}

}  // namespace relayd::providers
