// Decision: what an attempt means for each recipient, for the lane, and for when the message comes up again.
//
// Last word of settle, above the verdicts on single events. The relay asks once for each report of send, and
// applies what comes back: nothing of it is decided anywhere else. Pure; it keeps nothing and knows no time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settle/verdict.hpp"
#include "shared/base/time.hpp"
#include "shared/mail/recipient_outcome.hpp"
#include "shared/smtp/event.hpp"

namespace relayd::settle {

// What the attempt was, beside the events that it met.
struct Attempt {
  std::string_view provider = {};    // the preset's name; empty: none
  smtp::ReplyClasses retry_next_on;  // the classes that may move on
  bool doubted_here = false;         // this upstream may have taken it already, for all of its recipients
  bool has_next = false;             // the route has another upstream behind this one
  bool has_next_port = false;        // another port of this upstream is left to try
  bool another_may_take = false;     // another upstream of the route may take such a message; see is_unfit()
  smtp::Carried carried = {};        // by the connection, before it
  Duration backoff{};                // the usual delay after this attempt
};

struct RecipientDecision {
  mail::RecipientOutcome outcome;
  ReplyClass reply_class = ReplyClass::none;
  bool in_doubt = false;  // since this attempt
};

enum class LaneAction {
  nothing,    // it tells nothing of the lane
  works,      // the way there is sound
  stops,      // nothing of this credential would fare better; for which class and time is in the verdict
  ended,      // a connection ended on the way: one is no news, some in a row stop the lane
  next_port,  // the next connection goes to another port
};

enum class Comeback {
  now,  // the rest may go, or the lane has paused and the line finds another
  next_upstream,
  usual,
  told,  // after the longest time that a reply told
};

struct Decision {
  std::vector<RecipientDecision> recipients;  // in the order of the events
  bool in_doubt = false;                      // one of them is, since this attempt
  LaneAction lane = LaneAction::works;
  bool leaves = false;  // the connection: it is no good any more
  // What decided about the lane, one of the events, and its verdict; null: all went well.
  const smtp::Event* event = nullptr;
  Verdict verdict;
  std::optional<smtp::FoundCap> cap;  // of a transaction or a connection, that was met
  bool too_many_is_no_cap = false;    // one recipient alone was "too many", too: the number is not to blame
  Comeback comeback = Comeback::now;
  Duration wait{};  // zero for now and next_upstream
};

// What the queue keeps of an event as the text of its outcome. `suppressed`: its class is that.
std::string recorded_text(const smtp::Event& event, bool suppressed);

// `events` must outlive the decision.
Decision decide(std::span<const smtp::RecipientEvent> events, const Attempt& attempt);

// Which cap of a transaction or a connection these events have met, and what it is: what was taken before it
// was met, or what the reply names where nothing was. A number that what was taken belies is not believed;
// and where a recipient was taken behind one that was refused, the number is not to blame.
std::optional<smtp::FoundCap> find_cap(std::span<const smtp::RecipientEvent> events,
                                       std::string_view provider, smtp::Carried carried);

// The upstream cannot take such a message, so that it matters whether another may.
bool is_unfit(const smtp::Event& event);
// The port cannot be reached, or lets us connect and then says nothing, in the clear or in TLS, which is as
// good as blocked.
bool leaves_port(const smtp::Event& event);

}  // namespace relayd::settle
