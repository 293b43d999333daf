// Alibaba Cloud: DirectMail and Alimail, which answer by numbers of their own.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {only(Stage::auth), code(526), no_matter, "[1]", auth, half_an_hour},  // too many failures
    {sending, code(440), no_matter, "", sender},                           // it is not the login
    {sending, code(505), no_matter, "", temp, too_many_for_one},           // too many recipients
    {sending, code(510), no_matter, "", size},                             // too big
    {sending, code(541), no_matter, "", auth},                             // the account may not send
};

const std::vector<Behaviour> behaviours = {
    {"refuse-password", Stage::auth, "526 Authentication failure[0]"},
    {"too-many-logins", Stage::auth, "526 Authentication failure[1]"},
    {"refuse-sender", Stage::mail, "440 mail from account doesn't conform with authentication"},
    {"too-many-recipients", Stage::rcpt, "505 Too many recipients"},
    {"too-large", Stage::final_dot, "510 Too big"},
    {"account-closed", Stage::mail, "541 The account may not send"},
    {"refuse-content", Stage::final_dot, "554 Reject by content spam"},
};

}  // namespace

Providers aliyun() {
  return {
      {
          .name = "aliyun-dm",
          .regions = {{"cn", "smtpdm.aliyun.com"},
                      {"ap-southeast-1", "smtpdm-ap-southeast-1.aliyuncs.com"},
                      {"us-east-1", "smtpdm-us-east-1.aliyuncs.com"},
                      {"eu-central-1", "smtpdm-eu-central-1.aliyuncs.com"}},
          .endpoints = {implicit(465), starttls(80), starttls(25)},
          .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
          .account = {.form = UsernameForm::address,
                      .hint = "the address of the sender, and its SMTP password"},
          .replies = replies,
          .spf = "spf1.dm.aliyun.com",  // guess
          .null_sender = false,
          .behaviours = behaviours,
          .notes = {"MAIL FROM must be the login: one account a sender.", "An account is of one region.",
                    "Its own machines cannot reach port 25."},
          .source =
              "Alibaba Cloud's documentation of DirectMail, page not noted; its replies from third-party "
              "pages",
      },
      {
          .name = "alimail",
          .regions = {{"", "smtp.qiye.aliyun.com"}, {"mxhichina", "smtp.mxhichina.com"}},
          .endpoints = {implicit(465), starttls(25)},
          .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},
          .account = {.form = UsernameForm::address, .hint = "the address, and a password for mail programs"},
          .replies = replies,
          .behaviours = behaviours,
          .notes = {"MAIL FROM must be the login."},
          .source = "Alimail's documentation, page not noted; its replies from third-party pages",
      },
  };
}

}  // namespace relayd::providers
