#include "settle/decision.hpp"

#include <algorithm>
#include <limits>

namespace relayd::settle {

namespace {

using mail::RecipientState;
using smtp::Event;

// What the events say together.
struct Sum {
  bool alone = false;      // one recipient was offered
  bool delivered = false;  // to one of them at least
  bool moves_on = false;
  std::size_t full = 0;         // for so many the connection or the transaction had no room
  std::chrono::seconds told{};  // the longest wait
};

RecipientState state_after(const Verdict& verdict, bool was_doubtful, bool moves_on) {
  if (verdict.action == Action::delivered) return RecipientState::delivered;
  if (verdict.action == Action::failed && !moves_on) return RecipientState::failed;
  return verdict.in_doubt || was_doubtful ? RecipientState::doubtful : RecipientState::pending;
}

bool is_full(const Verdict& verdict, const Event& event) {
  return verdict.at_once ||
         (!event.trouble && event.stage == Stage::rcpt && too_many_recipients(event.reply));
}

// The whole message, for good; where it is for one recipient, fewer is not the cure.
bool refuses_for_number(const Verdict& verdict, const Event& event) {
  return verdict.cap == smtp::Cap::recipients_per_message && event.stage > Stage::rcpt &&
         !event.reply.temporary();
}

// One recipient: what the event means for it, and whether it decides about the lane.
void decide(const smtp::RecipientEvent& entry, const Attempt& attempt, Decision& decision, Sum& sum) {
  const Event& event = entry.event;
  Verdict verdict = judge(event, attempt.provider);
  if (sum.alone && refuses_for_number(verdict, event)) {
    verdict = {Action::failed, ReplyClass::content, Scope::message};
    decision.too_many_is_no_cap = true;
  }
  // Whatever is said now, an earlier attempt may have reached it.
  const bool moves = moves_on(verdict, attempt.retry_next_on) && attempt.has_next && !attempt.doubted_here;
  // A message that came here because the upstreams that could take it are in trouble waits for them.
  if (verdict.unfit && !moves && !attempt.doubted_here && attempt.another_may_take)
    verdict.action = Action::retry;
  const RecipientState state = state_after(verdict, attempt.doubted_here, moves);
  const bool suppressed = verdict.reply_class == ReplyClass::suppressed;
  decision.recipients.push_back({{entry.recipient, state, static_cast<std::uint16_t>(smtp::code_of(event)),
                                  recorded_text(event, suppressed)},
                                 verdict.reply_class,
                                 verdict.in_doubt});
  decision.in_doubt |= verdict.in_doubt;
  decision.leaves |= !event.trouble && verdict.scope == Scope::connection;
  sum.delivered |= state == RecipientState::delivered;
  sum.moves_on |= moves;
  sum.told = std::max(sum.told, verdict.wait);
  if (is_full(verdict, event)) {
    ++sum.full;
  } else if (state != RecipientState::delivered &&
             (!decision.event || stops_lane(verdict) || verdict.in_doubt)) {
    decision.event = &event;
    decision.verdict = verdict;
  }
}

LaneAction lane_action(const Decision& decision, const Sum& sum, bool has_next_port) {
  if (!decision.event) return LaneAction::works;
  const Event& event = *decision.event;
  if (leaves_port(event) && has_next_port) return LaneAction::next_port;
  if (stops_lane(decision.verdict)) return LaneAction::stops;
  // We closed it ourselves, or have not tried: that tells nothing of the way there.
  const bool ours = event.trouble == Trouble::cancelled || decision.verdict.unfit;
  const bool ended = event.trouble ? event.stage >= Stage::mail && !ours : event.reply.code == 421;
  // Somebody else's message went through: nothing is wrong with the way there.
  if (sum.delivered || (!event.trouble && !ended && event.stage >= Stage::mail)) return LaneAction::works;
  return ended ? LaneAction::ended : LaneAction::nothing;
}

bool waits(const RecipientDecision& recipient) {
  return mail::is_unsent(recipient.outcome.state);
}

Comeback comeback(const Decision& decision, const Sum& sum) {
  const bool stopped = decision.lane == LaneAction::stops;
  const bool next_port = decision.lane == LaneAction::next_port;
  // Past a lane in trouble it finds its way by itself, and back.
  if (sum.moves_on) return stopped || next_port ? Comeback::now : Comeback::next_upstream;
  // Less is offered the next time, or a connection that has carried nothing yet.
  const bool got_smaller = decision.cap && sum.full == decision.recipients.size();
  const bool nobody_waits = std::ranges::none_of(decision.recipients, waits);
  if (next_port || nobody_waits || got_smaller || (sum.full > 0 && sum.delivered) ||
      (stopped && !decision.in_doubt))
    return Comeback::now;
  return sum.told.count() > 0 ? Comeback::told : Comeback::usual;
}

}  // namespace

std::string recorded_text(const smtp::Event& event, bool suppressed) {
  return (suppressed ? "taken, and will not be sent: " : "") + smtp::enhanced_text(event);
}

Decision decide(std::span<const smtp::RecipientEvent> events, const Attempt& attempt) {
  Decision decision;
  Sum sum{.alone = events.size() == 1};
  decision.recipients.reserve(events.size());
  for (const smtp::RecipientEvent& entry : events) decide(entry, attempt, decision, sum);
  if (sum.full > 0) decision.cap = find_cap(events, attempt.provider, attempt.carried);
  decision.lane = lane_action(decision, sum, attempt.has_next_port);
  decision.comeback = comeback(decision, sum);
  if (decision.comeback == Comeback::usual) decision.wait = attempt.backoff;
  if (decision.comeback == Comeback::told) decision.wait = sum.told;
  return decision;
}

std::optional<smtp::FoundCap> find_cap(std::span<const smtp::RecipientEvent> events,
                                       std::string_view provider, smtp::Carried carried) {
  smtp::FoundCap found;
  std::uint32_t refused = 0, taken = 0;
  std::uint32_t first_refused = std::numeric_limits<std::uint32_t>::max(), taken_end = 0;
  bool whole = false;  // the message was refused, not single recipients
  for (const auto& [recipient, event] : events) {
    const Verdict verdict = judge(event, provider);
    if (verdict.reply_class == ReplyClass::temp && verdict.cap != smtp::Cap::none) {
      ++refused;
      first_refused = std::min(first_refused, recipient);
      found = {verdict.cap, verdict.named, true};
      whole = event.stage > Stage::rcpt;
    } else if (event.stage > Stage::rcpt) {
      taken_end = std::max(taken_end, recipient + 1);
      ++taken;
    }
  }
  if (refused == 0 || first_refused < taken_end) return std::nullopt;  // it takes more
  const bool counts_messages = found.cap == smtp::Cap::messages_per_connection;
  std::uint64_t before = counts_messages ? carried.messages : taken;
  if (found.cap == smtp::Cap::recipients_per_connection) before += carried.recipients;
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  if (before > 0)
    return smtp::FoundCap{found.cap, static_cast<std::uint32_t>(std::min(before, most)),
                          found.most == before};
  if (!whole || counts_messages || refused < 2) return std::nullopt;
  if (found.most > 0 && found.most < refused) return found;
  return smtp::FoundCap{found.cap, refused / 2, false};  // nothing tells how many it would take
}

bool is_unfit(const Event& event) {
  return event.trouble && judge(event.stage, *event.trouble).unfit;
}

bool leaves_port(const Event& event) {
  const bool silent = event.stage <= Stage::starttls && event.trouble == Trouble::broken;
  return event.trouble == Trouble::unreachable || silent;
}

}  // namespace relayd::settle
