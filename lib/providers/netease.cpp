// NetEase: 163.com and 126.com. Only the marks are the same in each language.
#include "providers/provider.hpp"

namespace relayd::providers {

namespace {

using namespace rows;
using enum smtp::ReplyClass;

const std::vector<ReplyRow> replies = {
    {any, code(421), no_matter, "HL:ICC", conn},
    {any, code(421), no_matter, "HL:IFC", rate},
    {sending, code(451), no_matter, "MI:DMC", temp, messages_used_up},
    {sending, code(451), no_matter, "RP:DRC", rate},                        // recipients
    {sending, code(553), no_matter, "must equal authorized user", sender},  // the text is a guess
};

Provider of(std::string_view name, std::string_view host) {
  return {
      .name = name,
      .regions = {{"", host}},
      .endpoints = {implicit(465), implicit(994)},
      .mechanisms = {sasl::Mechanism::login, sasl::Mechanism::plain},
      .account = {.hint = "the address, and its authorisation code (not the password)"},
      .replies = replies,
      .null_sender = false,
      .behaviours = {{"too-many-connections", Stage::greeting, "421 HL:ICC 163 smtp1,xxx"},
                     {"throttle", Stage::mail, "421 HL:IFC 163 smtp1,xxx"},
                     {"connection-used-up", Stage::mail, "451 MI:DMC 163 smtp1,xxx"},
                     {"too-many-a-day", Stage::rcpt, "451 RP:DRC 163 smtp1,xxx"},
                     {"refuse-sender", Stage::mail, "553 Mail from must equal authorized user"},
                     {"refuse-content", Stage::final_dot, "554 DT:SPM 163 smtp1,xxx"}},
      .notes = {"MAIL FROM and From must be the account's address; reports leave with `bounce.from`.",
                "A connection carries few messages and recipients; how many is not published."},
      .source = "third-party pages, not noted",
  };
}

}  // namespace

Providers netease() {
  return {of("163", "smtp.163.com"), of("126", "smtp.126.com")};
}

}  // namespace relayd::providers
