// MailerSend.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailersend() {
  using namespace std::chrono_literals;
  using namespace rows;
  return {{
      .name = "mailersend",
      .regions = {{"", "smtp.mailersend.net"}},
      .endpoints = {starttls(587), starttls(2525)},  // 2525 is a guess
      .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},
      .account = {.hint = "an SMTP user of the domain, and its password"},
      .limits = {.rate = std::vector<config::Rate>{{120, 1min, config::Counted::messages}}},
      // Every error of validation, and never "later".
      .replies = {{content_sent, code(450), no_matter, "given data was invalid", smtp::ReplyClass::content}},
      .control = {.fields = {{"X-MailerSend-Tags", true}, {"X-MailerSend-*"}},
                  .tag = {.name = "X-MailerSend-Tags"}},  // up to five; ours is one
      .domain = "mailersend.net",
      .spf = "_spf.mailersend.net",
      .selectors = {"mlsend2"},
      .taken = "250 Message queued as {}",
      .behaviours = {{"refuse-content", Stage::final_dot,
                      "450 The given data was invalid. The from.email domain must be verified."}},
      .notes = {"450 means never there, not later."},
      .source = "MailerSend's documentation, page not noted; the rate from a third-party page",
  }};
}

}  // namespace relayd::providers
