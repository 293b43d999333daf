// Verdict: what a reply, or the lack of one, means for the message and for the way it was sent.
//
// Sixth stage of the path. Asked for each event of an attempt by decide() (decision.hpp), which says what all
// of them mean together. Pure: the provider's rows (lib/providers), then everybody's (rows.cpp), so that the
// whole policy of failure can be read as tables. It keeps no state and knows no time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "providers/reply_row.hpp"
#include "shared/config/limit.hpp"
#include "shared/smtp/cap.hpp"
#include "shared/smtp/event.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/smtp/reply_class.hpp"
#include "shared/smtp/stage.hpp"

namespace relayd::settle {

using smtp::ReplyClass;
using smtp::Stage;
using smtp::to_string;
using smtp::Trouble;

enum class Action { delivered, retry, failed };

// How far the trouble reaches: what must wait, slow down or be given up.
enum class Scope {
  recipient,   // this one
  message,     // all its recipients
  sender,      // all mail of this sender at this upstream
  connection,  // close it and use another; what was not sent yet goes back
  lane,        // this credential at this upstream
  upstream,    // all its credentials
};

struct Verdict {
  Action action = Action::retry;  // for each recipient concerned
  ReplyClass reply_class = ReplyClass::temp;
  Scope scope = Scope::connection;
  // The whole message was sent and no reply came: it may have been taken (RFC 5321 4.2.5). It may be sent
  // again, but through no other upstream.
  bool in_doubt = false;
  // Nothing was tried: this upstream cannot take such a message, and one that can shall have it.
  bool unfit = false;
  // How long to wait instead of the usual delay: told by the reply, 1 s to 1 h, or known of it; 0: neither.
  std::chrono::seconds wait{};
  // Nobody's fault: this connection, or this transaction, has had its share. What was not taken may go on at
  // once on another; this one would refuse it again.
  bool at_once = false;
  // Which cap was reached, and the number that the reply names for it; 0: none.
  smtp::Cap cap = smtp::Cap::none;
  std::uint32_t named = 0;
  // Of class rate: what the reply says may go in a time.
  std::optional<config::Rate> rate = {};
  bool operator==(const Verdict&) const = default;
};

// The meaning of a reply. `provider` is the preset's name, empty for none. A positive reply is `delivered` at
// final_dot, or `suppressed`, which fails; anywhere else it is nothing that needs a verdict, and an
// unexpected code: temp. What the reply quotes, an address that anybody may choose, has no part in its
// meaning.
Verdict judge(Stage stage, const smtp::Reply& reply, std::string_view provider = {});

// The rows that fit a reply, the provider's own first; the first one decides, and there is always one. It
// lets a test hold every row to a reply that only this row gets right.
struct FittingRow {
  const providers::ReplyRow* row;
  Verdict verdict;  // if this row decided
};
std::vector<FittingRow> fitting_rows(Stage stage, const smtp::Reply& reply, std::string_view provider);

// The meaning of a failure without a reply.
Verdict judge(Stage stage, Trouble trouble);
// Of either.
Verdict judge(const smtp::Event& event, std::string_view provider);

// Nothing of this credential would fare better.
bool stops_lane(const Verdict& verdict);

// Whether the message, or the recipient, goes to the route's next upstream, given the classes that may
// (`retry_next_on`). Always where this one is unfit for it. Never for what was refused as such
// (smtp::refusals), nor for what may have been taken.
bool moves_on(const Verdict& verdict, smtp::ReplyClasses retry_next_on);

// The answer to RCPT says that this transaction has enough recipients: send to those it took and offer the
// rest at once in a new one. RFC 5321 4.5.3.1.10 wants 552 read as 452 here.
bool too_many_recipients(const smtp::Reply& reply);

}  // namespace relayd::settle
