// ReplyRow: what a kind of reply means, in one line, and the words that such lines are written in.
//
// A table of them is read from the first row to the last; the first that fits decides. A provider's own rows
// are in its file, everybody's in settle/rows.cpp; settle reads both (verdict.cpp). Plain, constant data.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shared/smtp/cap.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/smtp/reply_class.hpp"
#include "shared/smtp/stage.hpp"

namespace relayd::providers {

struct Stages {
  unsigned bits;
  constexpr bool has(smtp::Stage stage) const { return bits >> static_cast<unsigned>(stage) & 1u; }
};

struct Codes {
  int first;
  int last;
  constexpr bool has(int code) const { return first <= code && code <= last; }
};

// What a row says beside the class.
struct Extra {
  std::chrono::seconds wait{};      // at least so long
  bool at_once = false;             // no fault: this connection has had its share, go on at once on another
  bool all_accounts = false;        // it is about our address, whichever account is used from there
  smtp::Cap cap = smtp::Cap::none;  // that was reached
};

struct ReplyRow {
  Stages stages;
  Codes codes;
  smtp::EnhancedCode enhanced;
  // Contained in what the reply says in its own words (settle/reading.hpp), in any case; `*` stands for
  // whatever is between two parts; empty: any.
  std::string_view text;
  smtp::ReplyClass reply_class;
  Extra extra = {};
};

// What rows are written in.
namespace rows {

using smtp::Stage;

constexpr Stages from_to(Stage first, Stage last) {
  return {(2u << static_cast<unsigned>(last)) - (1u << static_cast<unsigned>(first))};
}
constexpr Stages only(Stage stage) {
  return from_to(stage, stage);
}
inline constexpr Stages any = from_to(Stage::connect, Stage::final_dot);
inline constexpr Stages opening = from_to(Stage::greeting, Stage::ehlo);
inline constexpr Stages sending = from_to(Stage::mail, Stage::final_dot);
inline constexpr Stages content_sent = from_to(Stage::data, Stage::final_dot);
inline constexpr Stages message{only(Stage::mail).bits | content_sent.bits};
// Where it is not about a recipient, whom anybody may choose.
inline constexpr Stages not_rcpt{any.bits & ~only(Stage::rcpt).bits};

constexpr Codes code(int one) {
  return {one, one};
}
inline constexpr Codes every{0, 999};
inline constexpr Codes second{200, 299};
inline constexpr Codes fourth{400, 499};
inline constexpr Codes fifth{500, 599};
inline constexpr Codes negative{400, 599};

// In an enhanced code: any subject, any detail. A status_class of 0 is any, too.
inline constexpr std::uint16_t open = 1000;
inline constexpr smtp::EnhancedCode no_matter{0, open, open};

// Texts that are no text: the reply tells how long to wait; it names no id of the provider's.
inline constexpr std::string_view tells_a_wait = "try again in N seconds";
inline constexpr std::string_view without_id = "no id";

inline constexpr Extra at_once{.at_once = true};
inline constexpr Extra messages_used_up{.at_once = true, .cap = smtp::Cap::messages_per_connection};
inline constexpr Extra recipients_used_up{.at_once = true, .cap = smtp::Cap::recipients_per_connection};
inline constexpr Extra too_many_for_one{.at_once = true, .cap = smtp::Cap::recipients_per_message};
inline constexpr Extra half_an_hour{
    .wait = std::chrono::minutes(30)};  // a login before that makes it last longer
inline constexpr Extra our_address{.wait = std::chrono::minutes(30), .all_accounts = true};

}  // namespace rows

}  // namespace relayd::providers
