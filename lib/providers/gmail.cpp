// Gmail, and the relay of Google Workspace, which answers alike.
//
// support.google.com/a/answer/166852, 2956491, 3726730 ("Gmail SMTP errors and codes") and 6140680, as of 21
// November 2026; the form of the id from a report of users.
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

}  // namespace

Providers gmail() {
  using namespace std::chrono_literals;
  using config::Quota;
  return {
      {
          .name = "gmail",
          .regions = {{"", "smtp.gmail.com"}},
          .endpoints = {starttls(587), implicit(465)},
          .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
          .account = {.form = UsernameForm::address,
                      .hint = "the full address of the account, and an app password (not the account's own)"},
          // Of Workspace; a personal account has 500, and the server tells when it is used up. Three
          // connections are a guess.
          .limits = {.connections = 3,
                     .recipients_per_message = 100,
                     .quota =
                         std::vector<Quota>{{2000, Quota::Period::sliding, 24h, config::Counted::messages},
                                            {10'000, Quota::Period::sliding, 24h}}},
          .replies = replies,
          .id = id,
          .spf = "_spf.google.com",
      },
      {.name = "workspace-relay", .replies = replies, .id = id},
  };
}

}  // namespace relayd::providers
