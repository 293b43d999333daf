// Fixture: what each provider says, and what it means, one reply a line: test/providers/*.txt, and for
// everybody's rows test/settle/general.txt.
//
//   provider: gmail workspace-relay       whose replies follow; `none`: of no provider that is known
//   quota at mail rcpt: 550 5.4.5 Daily   its class at those stages
//   auth (1800 s, all accounts) at auth:  and what the row says beside: a wait, `at once`, `all accounts`,
//                                         the cap that was reached
//   rate by throttle                      the class of what it says there on a bad day (fake/behaviours.hpp)
//   id 12 at final_dot: 250 Ok 12         its id in the reply to the final dot; `-`: it has none
//   server KEY: VALUE                     how its server looks, for test/scenarios/presets_test.py
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "providers/reply_row.hpp"

namespace relayd::test {

// One reply at one stage of one provider.
struct Told {
  std::string provider;  // empty: none
  smtp::Stage stage = smtp::Stage::connect;
  smtp::Reply reply;
  smtp::ReplyClass reply_class = smtp::ReplyClass::none;
  providers::Extra extra;
  std::optional<std::string> id;  // where the line is about it
  std::string behaviour;          // where the line is about one
  std::string where;              // for messages
};

// Throws for a line that cannot be read.
const std::vector<Told>& all_told();

}  // namespace relayd::test
