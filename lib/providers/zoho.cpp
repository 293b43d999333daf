// Zoho Mail and ZeptoMail. The hosts of ZeptoMail are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {sending, code(553), no_matter, "relaying disallowed as",
     sender},  // it says so of the sender at RCPT, too
};

const std::vector<Behaviour> behaviours = {
    {"refuse-sender", Stage::rcpt, "553 Relaying disallowed as app@example.com"},
    {"virus", Stage::final_dot, "552 5.7.1 Virus detected"},
};

}  // namespace

Providers zoho() {
  return {
      {
          .name = "zoho",
          .regions = {{"com", "smtp.zoho.com"},
                      {"eu", "smtp.zoho.eu"},
                      {"in", "smtp.zoho.in"},
                      {"com.au", "smtp.zoho.com.au"},
                      {"jp", "smtp.zoho.jp"},
                      {"com.cn", "smtp.zoho.com.cn"},
                      {"sa", "smtp.zoho.sa"}},
          .endpoints = {implicit(465), starttls(587)},
          .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},
          .account = {.hint = "the address of the account, and an app password"},
          .replies = replies,
          .behaviours = behaviours,
          .notes = {"The wrong region is told as a wrong password.",
                    "Accounts of a business are at smtppro.zoho.REGION: set `host`.",
                    "300 to 500 messages a day go, by plan: set `quota`.",
                    "From must be the account or an alias of it."},
          .source =
              "Zoho's documentation, page not noted; app passwords and the limits from third-party pages",
      },
      {
          .name = "zeptomail",
          .regions = {{"com", "smtp.zeptomail.com"},  // guess, all three
                      {"eu", "smtp.zeptomail.eu"},
                      {"in", "smtp.zeptomail.in"}},
          .endpoints = {starttls(587), implicit(465)},                     // 465 is a guess
          .mechanisms = {sasl::Mechanism::plain, sasl::Mechanism::login},  // guess
          .account = {.hint = "the word emailapikey, and a token"},
          .replies = replies,
          .behaviours = behaviours,
          .notes = {"Mail without Subject is refused.", "For transactional mail only."},
          .source = "ZeptoMail's documentation of its replies, page not noted; hosts and login are a guess",
      },
  };
}

}  // namespace relayd::providers
