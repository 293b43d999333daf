// Gmail, and the relay of Google Workspace, which answers alike.
#include <algorithm>

#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

// None of its texts for 5.7.1 is about a recipient, so that they may be read at RCPT.
const std::vector<ReplyRow> replies = {
    {sending, code(550), {5, 4, 5}, "", quota},                      // the day's limit of a user
    {sending, code(550), {5, 7, 1}, "relay limit exceeded", quota},  // the day's limit of a relay
    {sending, code(550), {5, 7, 1}, "quota exceeded", quota},        // the same, of an account
    {sending, code(550), {5, 7, 1}, "invalid credentials", auth},    // nobody it knows
    {sending, code(450), {4, 2, 1}, "relay limit exceeded", rate},   // the peak limit of a relay
    {any, code(421), {4, 7, 0}, "unusual rate", rate},
    {content_sent, code(552), {5, 2, 3}, "", size},
    {sending, code(451), {4, 3, 0}, "multiple destination domains", temp, at_once},
};

constexpr IdPattern id{.before = "ok ", .words = 1};  // OK TIME ID - gsmtp
constexpr std::string_view taken = "250 2.0.0 OK  1700000000 {} - gsmtp";

const std::vector<sasl::Mechanism> mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login,
                                                 sasl::Mechanism::xoauth2, sasl::Mechanism::oauthbearer};

const std::vector<std::string_view> extensions = {"8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING",
                                                  "SMTPUTF8"};

const std::vector<Behaviour> behaviours = {
    {"refuse-password", Stage::auth, "535 5.7.8 Username and Password not accepted. - gsmtp"},
    {"too-many-logins", Stage::auth, "454 4.7.0 Too many login attempts, please try again later. - gsmtp"},
    {"down", Stage::greeting, "421 4.7.0 Temporary System Problem. Try again later. - gsmtp"},
    {"throttle", Stage::final_dot,
     "421 4.7.0 Our system has detected an unusual rate of unsolicited mail. - gsmtp"},
    {"over-quota", Stage::final_dot, "550 5.4.5 Daily user sending limit exceeded. - gsmtp"},
    {"too-large", Stage::final_dot, "552 5.2.3 Your message exceeded Google's message size limits. - gsmtp"},
    {"refuse-content", Stage::final_dot,
     "550 5.7.1 Our system has detected that this message is likely spam. - gsmtp"},
    {"refuse-recipient", Stage::rcpt,
     "550 5.1.1 The email account that you tried to reach does not exist. - gsmtp"},
    {"one-domain", Stage::rcpt,
     "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again."},
};
const std::vector<Behaviour> of_relay = [] {
  std::vector<Behaviour> all = {
      {"over-quota", Stage::rcpt, "550 5.4.5 Daily SMTP relay limit exceeded for user. - gsmtp"},
      {"throttle", Stage::mail, "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp"},
      {"refuse-hostname", Stage::ehlo, "421 4.7.0 Try again later, closing connection. (EHLO)"},
      {"not-registered", Stage::mail, "550 5.7.1 Invalid credentials for relay. - gsmtp"},
  };
  for (const Behaviour& one : behaviours)
    if (std::ranges::find(all, one.name, &Behaviour::name) == all.end()) all.push_back(one);
  return all;
}();

// Users' reports; the same for a token that has ended, of somebody else or for something else.
constexpr std::string_view token_refusal =
    R"({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})";

constexpr std::string_view source =
    "support.google.com/a/answer/166852, 2956491, 3726730 (Gmail SMTP errors and codes), 6140680; the form "
    "of "
    "the id from users' reports";

}  // namespace

Providers gmail() {
  using namespace std::chrono_literals;
  using config::Counted;
  using config::Quota;
  return {
      {
          .name = "gmail",
          .regions = {{"", "smtp.gmail.com"}},
          .endpoints = {starttls(587), implicit(465)},
          .mechanisms = mechanisms,
          .oauth2 = config::OAuth2Provider::google,
          .token_refusal = token_refusal,
          .account = {.form = UsernameForm::address,
                      .hint =
                          "the full address of the account, and an app password (not the account's own) or "
                          "an access token"},
          // Of Workspace; a personal account has 500, and the server tells when it is used up. Three
          // connections are a guess.
          .limits = {.connections = 3,
                     .recipients_per_message = 100,
                     .quota = std::vector<Quota>{{2000, Quota::Period::sliding, 24h, Counted::messages},
                                                 {10'000, Quota::Period::sliding, 24h}}},
          .replies = replies,
          .id = id,
          .spf = "_spf.google.com",
          .selectors = {"google"},
          .extensions = extensions,
          .taken = taken,
          .behaviours = behaviours,
          .notes = {"From becomes the account's address unless it is an alias of the account.",
                    "An app password needs 2-step verification.",
                    "The quota is that of Workspace; a personal account has 500 a day."},
          .source = source,
      },
      {
          .name = "workspace-relay",
          .regions = {{"", "smtp-relay.gmail.com"}},
          .endpoints = {starttls(587), implicit(465), starttls(25)},
          .mechanisms = mechanisms,
          .oauth2 = config::OAuth2Provider::google,
          .token_refusal = token_refusal,
          .account = {.hint = "none, where the relay knows this machine's address; else as gmail"},
          // Of a user, which is the envelope sender there; of the organisation: what goes in 10 minutes, too.
          .limits = {.recipients_per_message = 100,
                     .quota_total = std::vector<Quota>{{319'444, Quota::Period::sliding, 10min},
                                                       {4'600'000, Quota::Period::sliding, 24h}}},
          .replies = replies,
          .id = id,
          .spf = "_spf.google.com",
          .selectors = {"google"},
          .extensions = extensions,
          .taken = taken,
          .behaviours = of_relay,
          .notes = {"`hostname` must be a full name of your own: others are refused at EHLO with 421.",
                    "MAIL FROM or `hostname` must be of a domain of the customer.",
                    "A user, by the envelope sender, may send 10,000 messages and to 10,000 different "
                    "recipients in 24 hours.",
                    "Reports (MAIL FROM:<>) are taken only with a login, or with a `hostname` of the "
                    "customer's domains."},
          .source = source,
      },
  };
}

}  // namespace relayd::providers
