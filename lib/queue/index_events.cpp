// What happens to messages, in the index: attempts, doubt, and what the operator asks for. A message's
// recipients part here into shipments, and shipments that have become alike go together again.
#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "queue/index.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t most_shipments = 256;  // of a message; a start may need more: ShipmentId::numbers
// The next times of shipments that are alike differ by this at most; see are_alike().
constexpr auto alike_within = std::chrono::minutes(1);

bool are_alike(const Shipment& a, const Shipment& b) {
  if (a.state != MessageState::waiting || b.state != MessageState::waiting) return false;
  if (a.line != 0 || b.line != 0 || a.route != b.route || a.route_step != b.route_step) return false;
  if (a.attempts != b.attempts || a.doubts != b.doubts || a.doubted != b.doubted) return false;
  return a.due - b.due <= alike_within && b.due - a.due <= alike_within;
}

}  // namespace

// --- shipments ---

// An outcome adds three at most: those left pending, those in doubt since before, and those newly in doubt.
bool Index::may_part(const Message& message) {
  return !message.parting || 1 + message.parting->others.size() + 3 <= most_shipments;
}

Shipment& Index::part(Entry& entry, const std::vector<std::uint32_t>& recipients) {
  Shipment& in = entry.shipment_of(recipients.front());
  const bool is_all = in.unsent == recipients.size() &&
                      (!entry.parting || std::ranges::all_of(recipients, [&](std::uint32_t each) {
                        return &entry.shipment_of(each) == &in;
                      }));
  if (is_all) return in;
  Shipment* const own = add_shipment(entry, in);
  Shipment& to = own ? *own : in;
  move(entry, recipients, to);
  drop_empty(entry);
  return to;
}

// Null: the message has as many as it can.
Shipment* Index::add_shipment(Entry& entry, const Shipment& as) {
  if (!entry.parting) {
    entry.parting = std::make_unique<Parting>();
    entry.parting->number_of.resize(entry.states.size());
  }
  auto& others = entry.parting->others;
  if (others.size() + 1 == ShipmentId::numbers) return nullptr;
  std::uint16_t number = 1;
  for (auto at = others.begin(); at != others.end() && at->first == number; ++at) ++number;
  const std::uint64_t before = need_of(entry);
  Shipment& shipment = others[number];
  shipment.id = {entry.id(), number};
  shipment.message = &entry;
  shipment.due = as.due;
  shipment.attempts = as.attempts;
  shipment.route = as.route;
  shipment.hold_asked = as.hold_asked || as.state == MessageState::held;
  set_doubt(shipment, as.doubted, as.doubts);
  count_need(entry, before);
  return &shipment;
}

void Index::move(Entry& entry, const std::vector<std::uint32_t>& recipients, Shipment& to) {
  for (const std::uint32_t each : recipients) {
    Shipment& from = entry.shipment_of(each);
    if (&from == &to || !entry.states.is_unsent(each)) continue;
    to.attempts = std::max(to.attempts, from.attempts);
    --from.unsent;
    ++to.unsent;
    entry.parting->number_of[each] = to.id.number();
  }
}

void Index::drop_empty(Entry& entry) {
  if (entry.first.unsent == 0) {
    let_go(entry.first);
    entry.first.line = 0;
  }
  if (!entry.parting) return;
  const std::uint64_t before = need_of(entry);
  auto& others = entry.parting->others;
  for (auto at = others.begin(); at != others.end();) {
    const bool is_empty = at->second.unsent == 0;
    if (is_empty) let_go(at->second);
    at = is_empty ? others.erase(at) : std::next(at);
  }
  count_need(entry, before);
  if (others.empty()) entry.parting.reset();
  update_state(entry);
}

// The shipment may be gone afterwards.
void Index::bring_together(ShipmentId id) {
  Shipment* const shipment = find(id);
  if (!shipment) return;
  Entry& entry = entry_of(*shipment);
  if (!entry.parting) return;
  Shipment* with = nullptr;
  entry.for_each_shipment([&](Shipment& other) {
    if (&other != shipment && are_alike(other, *shipment)) with = &other;
  });
  if (!with) return;
  const SteadyTime due = std::max(with->due, shipment->due);
  move(entry, entry.recipients_of(*shipment), *with);
  set_waiting(*with, due);
  drop_empty(entry);
}

void Index::set_waiting_or_held(Shipment& shipment, SteadyTime due) {
  if (std::exchange(shipment.hold_asked, false) || shipment.state == MessageState::held)
    set_timeless(shipment, MessageState::held);
  else
    set_waiting(shipment, due);
}

// --- an attempt ---

// Whom an outcome names, by the state that it leaves them in, and what their shipments knew before.
struct Index::Named {
  // Of those left doubtful, who were in one doubt.
  struct Doubtful {
    std::string doubted;
    std::uint8_t doubts = 0;  // 0: it begins now
    SteadyTime due{};         // the time that this doubt was given
    std::vector<std::uint32_t> recipients;
  };

  std::vector<std::uint32_t> pending;
  std::vector<Doubtful> doubtful;
  std::uint16_t attempts = 0;  // the most of any; with this one, if a doubt has counted it
  Shipment* tried = nullptr;   // the ready one; null: none
  std::size_t left = 0;        // in both

  void add_doubtful(std::string_view doubted, std::uint8_t doubts, SteadyTime due, std::uint32_t recipient) {
    auto same = std::ranges::find_if(
        doubtful, [&](const Doubtful& each) { return each.doubts == doubts && each.doubted == doubted; });
    if (same == doubtful.end()) same = doubtful.insert(same, {std::string(doubted), doubts, due, {}});
    same->due = std::max(same->due, due);
    same->recipients.push_back(recipient);
  }
};

Index::Named Index::take_states(Entry& entry, const Outcome& outcome) {
  Named named;
  std::vector<std::uint32_t> left;
  std::optional<EarlierDoubt> before;
  const auto take = [&](std::uint32_t recipient, RecipientState state) {
    const bool was_unsent = entry.states.is_unsent(recipient);
    // The retry that made it pending again may be lost: its shipment is then unknown.
    if (!was_unsent && entry.parting) entry.parting->number_of[recipient] = 0;
    Shipment& in = entry.shipment_of(recipient);
    if (was_unsent && in.state == MessageState::ready && !std::exchange(named.tried, &in))
      before = unmarked(in);
    entry.states.set(recipient, state);
    if (was_unsent || is_unsent(state)) named.attempts = std::max(named.attempts, in.attempts);
    in.unsent = in.unsent - was_unsent + is_unsent(state);
    if (is_unsent(state)) left.push_back(recipient);
  };
  for (const RecipientOutcome& each : outcome.recipients)
    if (each.recipient < entry.states.size()) take(each.recipient, each.state);
  for (std::uint32_t i = 0; outcome.recipients.empty() && i < entry.states.size(); ++i)
    if (entry.states.is_unsent(i)) take(i, entry.states.get(i));
  // A record that names somebody twice is damaged or forged: the last word counts.
  std::ranges::sort(left);
  left.erase(std::unique(left.begin(), left.end()), left.end());
  for (const std::uint32_t each : left) {
    if (!entry.states.is_unsent(each)) continue;
    ++named.left;
    const Shipment& in = entry.shipment_of(each);
    const bool is_unmarked = before && std::ranges::binary_search(before->unmarked, each);
    const SteadyTime due = in.counted || in.state == MessageState::waiting ? in.due : SteadyTime{};
    if (entry.states.get(each) == RecipientState::pending)
      named.pending.push_back(each);
    else if (is_unmarked && before->doubts > 0)
      named.add_doubtful(before->upstream, before->doubts, {}, each);
    else
      named.add_doubtful(in.doubted, in.doubts, due, each);
  }
  return named;
}

bool Index::apply(Entry& entry, const Outcome& outcome, bool counted, Duration keep_failed, Clock clock,
                  std::uint8_t route_step) {
  const Named named = take_states(entry, outcome);
  const auto attempts = static_cast<std::uint16_t>(named.attempts + (counted ? 0 : 1));
  const SteadyTime due = due_time(outcome.when, outcome.next_attempt, clock);
  std::vector<ShipmentId> made;
  const auto wait = [&](const std::vector<std::uint32_t>& recipients, std::string_view doubted,
                        std::uint8_t doubts, SteadyTime until) {
    Shipment& shipment = part(entry, recipients);
    // Others are with them where there was no other shipment to be had.
    const bool has_others = shipment.unsent > recipients.size();
    for (const std::uint32_t each : has_others ? entry.recipients_of(shipment) : std::vector<std::uint32_t>())
      entry.states.set(each, doubts > 0 ? RecipientState::doubtful : RecipientState::pending);
    set_doubt(shipment, doubted, doubts);
    shipment.attempts = attempts;
    shipment.route_step = route_step;
    shipment.counted = shipment.whole = false;
    earlier_doubts_.erase(shipment.id.value);
    set_waiting_or_held(shipment, until);
    made.push_back(shipment.id);
  };
  const ShipmentId tried = named.tried && named.tried->unsent > named.left ? named.tried->id : ShipmentId();
  if (!named.pending.empty()) wait(named.pending, {}, 0, due);
  for (const Named::Doubtful& each : named.doubtful)
    each.doubts > 0 ? wait(each.recipients, each.doubted, each.doubts, std::max(due, each.due))
                    : wait(each.recipients, outcome.upstream, 1, due);
  if (tried != ShipmentId() && std::ranges::find(made, tried) == made.end())
    end_attempt(*find(tried), clock.now);
  drop_empty(entry);
  for (const ShipmentId id : made) bring_together(id);
  if (entry.unsent() > 0) return true;
  if (entry.states.count(RecipientState::failed) == 0 && !debts_.contains(entry.id().value)) return false;
  entry.first.attempts = attempts;
  entry.first.counted = entry.first.whole = entry.first.hold_asked = false;
  const auto kept = std::chrono::duration_cast<WallTime::duration>(keep_failed);
  end(entry, due_time(outcome.when, outcome.when + kept, clock));
  return true;
}

// Nobody is left: kept for the operator if somebody has failed, else until all that is owed was told.
void Index::end(Entry& entry, SteadyTime removal) {
  const bool delivered = entry.states.count(RecipientState::failed) == 0;
  if (delivered && debts_.contains(entry.id().value))
    set_timeless(entry.first, MessageState::reporting);
  else
    set_failed(entry, removal);
}

// --- what is owed ---

const Debt* Index::debt(MessageId id) const {
  const auto found = debts_.find(id.value);
  return found == debts_.end() ? nullptr : &found->second;
}

void Index::owe(const Entry& entry, const Debt& debt) {
  if (debt.recipients.empty() && debt.events.empty()) return;
  if (debt.since > retried(entry)) retried_[entry.id().value] = debt.since;
  const auto add = [&entry](std::vector<std::uint32_t>& owed, const std::vector<std::uint32_t>& more) {
    owed.insert(owed.end(), more.begin(), more.end());
    std::erase_if(owed, [&entry](std::uint32_t each) { return each >= entry.states.size(); });
    std::ranges::sort(owed);
    owed.erase(std::unique(owed.begin(), owed.end()), owed.end());
  };
  Debt& all = debts_[entry.id().value];
  add(all.recipients, debt.recipients);
  add(all.events, debt.events);
}

bool Index::is_news(const Entry& entry, const Told& told, MessageId report) const {
  if (report <= retried(entry)) return false;
  if (told.warned > entry.warned) return true;
  const Debt* const owed = debt(entry.id());
  if (!owed) return false;
  return (owed->expanded && told.what.expanded) ||
         std::ranges::any_of(told.what.recipients, [owed](std::uint32_t each) {
           return std::ranges::binary_search(owed->recipients, each);
         });
}

bool Index::told(Entry& entry, const Told& told) {
  if (told.warned != 0) entry.warned = told.warned;
  if (const auto found = debts_.find(entry.id().value); found != debts_.end()) {
    Debt& debt = found->second;
    const auto remove = [](std::vector<std::uint32_t>& owed, const std::vector<std::uint32_t>& paid) {
      std::erase_if(owed,
                    [&paid](std::uint32_t each) { return std::ranges::find(paid, each) != paid.end(); });
    };
    remove(debt.recipients, told.what.recipients);
    remove(debt.events, told.what.events);
    debt.expanded = debt.expanded && !told.what.expanded;
    if (debt.empty()) debts_.erase(found);
  }
  return entry.state != MessageState::reporting || debts_.contains(entry.id().value);
}

// The attempt was for other recipients than those left in the shipment: what it changed is undone.
void Index::end_attempt(Shipment& shipment, SteadyTime due) {
  if (std::exchange(shipment.counted, false)) {
    --shipment.attempts;
    const auto earlier = earlier_doubts_.find(shipment.id.value);
    const EarlierDoubt before = earlier == earlier_doubts_.end() ? EarlierDoubt{} : earlier->second;
    set_doubt(shipment, before.upstream, before.doubts);
    earlier_doubts_.erase(shipment.id.value);
  }
  shipment.whole = false;
  shipment.route_step = 0;
  set_waiting_or_held(shipment, due);
}

bool Index::parts(const Shipment& shipment, const Outcome& outcome) const {
  const Entry& entry = entry_of(shipment);
  std::uint32_t named = 0;
  bool pending = false, doubtful = false;
  for (const RecipientOutcome& each : outcome.recipients) {
    named += each.recipient < entry.states.size() && entry.states.is_unsent(each.recipient);
    pending |= each.state == RecipientState::pending;
    doubtful |= each.state == RecipientState::doubtful;
  }
  const bool rest = named < shipment.unsent;
  const bool unlike = doubtful && shipment.counted && unmarked(shipment).has_value();
  return (pending && doubtful) || (rest && (pending || doubtful)) || unlike;
}

Outcome Index::of_all(const Shipment& shipment, Outcome outcome) const {
  const std::vector<std::uint32_t> all = entry_of(shipment).recipients_of(shipment);
  std::vector<bool> is_named(entry_of(shipment).states.size());
  for (const RecipientOutcome& each : outcome.recipients)
    if (each.recipient < is_named.size()) is_named[each.recipient] = true;
  const bool was_in_doubt =
      shipment.counted ? earlier_doubts_.contains(shipment.id.value) : shipment.in_doubt();
  for (const std::uint32_t each : all)
    if (!is_named[each])
      outcome.recipients.push_back(
          {each, was_in_doubt ? RecipientState::doubtful : RecipientState::pending, 0, {}});
  const bool in_doubt = std::ranges::any_of(outcome.recipients, [](const RecipientOutcome& each) {
    return each.state == RecipientState::doubtful;
  });
  for (RecipientOutcome& each : outcome.recipients)
    if (in_doubt && each.state == RecipientState::pending) each.state = RecipientState::doubtful;
  return outcome;
}

// --- doubt ---

void Index::mark_in_doubt(Shipment& shipment, std::string_view upstream,
                          std::span<const std::uint32_t> recipients) {
  Entry& entry = entry_of(shipment);
  const bool counted = std::exchange(shipment.counted, true);
  if (!counted) ++shipment.attempts;
  if (!counted && shipment.in_doubt()) {
    EarlierDoubt& before = earlier_doubts_[shipment.id.value];
    before = {std::string(shipment.doubted), shipment.doubts, entry.recipients_of(shipment)};
  }
  if (const auto before = earlier_doubts_.find(shipment.id.value); before != earlier_doubts_.end())
    std::erase_if(before->second.unmarked, [&](std::uint32_t each) {
      return std::ranges::find(recipients, each) != recipients.end();
    });
  for (const std::uint32_t each : recipients)
    if (each < entry.states.size() && entry.states.is_unsent(each))
      entry.states.set(each, RecipientState::doubtful);
  const bool again = shipment.doubted == upstream && shipment.in_doubt();
  const int doubts = !again ? 1 : counted ? shipment.doubts : std::min(shipment.doubts + 1, 255);
  set_doubt(shipment, upstream, static_cast<std::uint8_t>(doubts));
}

// Those whom the doubt of the attempt that is under way is not about, ascending, with the doubt that they are
// in; nothing: it is about all.
std::optional<Index::EarlierDoubt> Index::unmarked(const Shipment& shipment) const {
  if (!shipment.counted || shipment.unsent < 2) return std::nullopt;
  EarlierDoubt known;
  if (const auto before = earlier_doubts_.find(shipment.id.value); before != earlier_doubts_.end()) {
    known = before->second;
  } else {
    const Entry& entry = entry_of(shipment);
    known.unmarked = entry.recipients_of(shipment);
    std::erase_if(known.unmarked,
                  [&](std::uint32_t each) { return entry.states.get(each) != RecipientState::pending; });
  }
  return known.unmarked.empty() ? std::nullopt : std::optional(std::move(known));
}

void Index::apply(Entry& entry, const Doubt& doubt, SteadyTime due) {
  const std::vector<std::uint32_t> recipients = unsent_of(entry, doubt.recipients);
  if (recipients.empty()) return;
  Shipment& shipment = part(entry, recipients);
  mark_in_doubt(shipment, doubt.upstream, entry.recipients_of(shipment));
  shipment.counted = false;
  earlier_doubts_.erase(shipment.id.value);
  set_waiting_or_held(shipment, due);
}

void Index::leave_in_doubt(Shipment& shipment) {
  if (!shipment.counted) return;
  if (const std::optional<EarlierDoubt> before = unmarked(shipment)) {
    Shipment& rest = part(entry_of(shipment), before->unmarked);
    if (&rest != &shipment) {
      set_doubt(rest, before->upstream, before->doubts);
      --rest.attempts;
      set_waiting_or_held(rest, shipment.due);
    }
  }
  shipment.counted = shipment.whole = false;
  earlier_doubts_.erase(shipment.id.value);
  part_pending(shipment);  // at the limit of shipments all share the doubt
}

// Those who are not in doubt leave a shipment that is, for one of their own: null where there are none, or no
// other is to be had and they share the doubt. A doubt that is nobody's ends; one that is everybody's counts
// once at least.
Shipment* Index::part_pending(Shipment& shipment) {
  Entry& entry = entry_of(shipment);
  std::vector<std::uint32_t> pending = entry.recipients_of(shipment);
  std::erase_if(pending,
                [&](std::uint32_t each) { return entry.states.get(each) != RecipientState::pending; });
  if (pending.size() == shipment.unsent) set_doubt(shipment, {}, 0);
  if (pending.empty() && shipment.doubts == 0) set_doubt(shipment, shipment.doubted, 1);
  if (pending.empty() || pending.size() == shipment.unsent) return nullptr;
  Shipment& rest = part(entry, pending);
  if (&rest != &shipment) {
    set_doubt(rest, {}, 0);
    return &rest;
  }
  for (const std::uint32_t each : pending) entry.states.set(each, RecipientState::doubtful);
  return nullptr;
}

void Index::not_taken(Shipment& shipment, Clock clock) {
  Entry& entry = entry_of(shipment);
  for (const std::uint32_t each : entry.recipients_of(shipment))
    entry.states.set(each, RecipientState::pending);
  set_doubt(shipment, {}, 0);
  if (!has_ended(shipment.state)) set_waiting(shipment, clock.now);
}

void Index::set_doubt(Shipment& shipment, std::string_view upstream, std::uint8_t doubts) {
  const std::string_view before = shipment.doubted;
  shipment.doubted = intern(upstream);
  count_doubt(shipment, -1);
  shipment.doubts = doubts;
  count_doubt(shipment, +1);
  forget(before);
}

std::vector<std::uint32_t> Index::unsent_of(const Entry& entry,
                                            const std::vector<std::uint32_t>& recipients) {
  std::vector<std::uint32_t> unsent;
  for (const std::uint32_t each : recipients)
    if (each < entry.states.size() && entry.states.is_unsent(each)) unsent.push_back(each);
  for (std::uint32_t i = 0; recipients.empty() && i < entry.states.size(); ++i)
    if (entry.states.is_unsent(i)) unsent.push_back(i);
  return unsent;
}

// --- the operator ---

MessageId Index::retried(const Entry& entry) const {
  const auto found = retried_.find(entry.id().value);
  return found == retried_.end() ? MessageId() : found->second;
}

void Index::retry(Entry& entry, Clock clock, MessageId newest) {
  if (entry.state == MessageState::reporting) return;
  if (entry.state == MessageState::failed) {
    Told not_at_an_end;
    for (std::uint32_t i = 0; i < entry.states.size(); ++i) {
      if (entry.states.get(i) != RecipientState::failed) continue;
      entry.states.set(i, RecipientState::pending);
      ++entry.first.unsent;
      not_at_an_end.what.recipients.push_back(i);
      not_at_an_end.what.events.push_back(i);
    }
    told(entry, not_at_an_end);
    entry.first.route = 0;  // it was that of some of them
    entry.lives_from = clock.wall;
    entry.warned = 0;
    retried_[entry.id().value] = std::max(newest, retried(entry));
  }
  entry.for_each_shipment([&](Shipment& shipment) {
    shipment.hold_asked = false;
    if (shipment.state == MessageState::ready) return;
    shipment.route_step = 0;
    set_waiting(shipment, clock.now);
  });
}

bool Index::may_be_held(const Entry& entry) {
  bool may = false;
  entry.for_each_shipment([&may](const Shipment& shipment) {
    may |= shipment.state == MessageState::waiting ||
           (shipment.state == MessageState::ready && !shipment.hold_asked);
  });
  return may;
}

void Index::hold(Entry& entry) {
  entry.for_each_shipment([this](Shipment& shipment) { hold(shipment); });
}

void Index::hold(Shipment& shipment) {
  if (shipment.state == MessageState::ready)
    shipment.hold_asked = true;
  else if (!has_ended(shipment.state))
    set_timeless(shipment, MessageState::held);
}

}  // namespace relayd::queue
