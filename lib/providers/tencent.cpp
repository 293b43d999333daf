// Tencent: the mailboxes qq.com and exmail, whose one row is in no document that was read, and SES.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {content_sent, code(550), no_matter, "frequency", rate},  // guess
};

Provider mailbox(std::string_view name, std::string_view host) {
  return {
      .name = name,
      .regions = {{"", host}},
      .endpoints = {implicit(465), starttls(587)},
      .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},
      .account = {.hint = "the address, and its authorisation code (not the password)"},
      .replies = replies,
      .behaviours = {{"refuse-password", Stage::auth,
                      "535 Login Fail. Please enter your authorization code to login."},
                     {"throttle", Stage::final_dot, "550 Sender frequency limited"}},  // guess
      .notes = {"Its limits are small and not published."},
      .source =
          "Tencent's documentation of the mailboxes, page not noted; the row of the frequency is a guess",
  };
}

}  // namespace

Providers tencent() {
  using namespace std::chrono_literals;
  return {
      mailbox("qq", "smtp.qq.com"),
      mailbox("exmail", "smtp.exmail.qq.com"),
      {
          .name = "tencent-ses",
          .regions = {{"hongkong", "smtp.qcloudmail.com"},
                      {"guangzhou", "gz-smtp.qcloudmail.com"},
                      {"singapore", "sg-smtp.qcloudmail.com"}},
          .endpoints = {implicit(465)},
          .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},  // guess
          .account = {.form = UsernameForm::address,
                      .hint = "the address of the sender, and its SMTP password"},
          .limits = {.rate = std::vector<config::Rate>{{20, 1s}}},
          .notes = {"Mail with Cc, Bcc or some content types is refused.",
                    "One sender may send one recipient 10 messages an hour.",
                    "Its numbered replies have not been read: the general rows hold."},
          .source = "Tencent Cloud's documentation of SES, page not noted",
      },
  };
}

}  // namespace relayd::providers
