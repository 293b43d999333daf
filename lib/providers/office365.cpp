// Microsoft 365: client submission, high volume email, and the connector of a tenant.
//
// learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements, as of 21 November 2026;
// the number of recipients a message and the row of the token from third-party pages.
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

}  // namespace

Providers office365() {
  using namespace std::chrono_literals;
  using config::Quota;
  return {
      {
          .name = "office365",
          .regions = {{"", "smtp.office365.com"}},
          .endpoints = {starttls(587)},
          .mechanisms = {sasl::Mechanism::login},  // it offers no PLAIN
          .account = {.form = UsernameForm::address,
                      .hint = "the full address of a mailbox that may use SMTP AUTH, and its password"},
          // A tenant may set its own number of recipients a message, 500 unless it does.
          .limits = {.connections = 3,
                     .recipients_per_message = 500,
                     .rate = std::vector<config::Rate>{{30, 1min, config::Counted::messages}},
                     .quota = std::vector<Quota>{{10'000, Quota::Period::sliding, 24h}}},
          .replies = of_both(),
          .id = id,
          .spf = "spf.protection.outlook.com",
      },
      {.name = "office365-hve", .replies = of_both(), .id = id},
      {.name = "m365-connector", .replies = of_tenant},
  };
}

}  // namespace relayd::providers
