// What the queue's model knows: of a recipient, of a message, and of a shipment that the relay has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "queue/message.hpp"

namespace relayd::queue::model {

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;
constexpr auto doubtful = RecipientState::doubtful;

// What a start must find of a recipient; for whom nothing is left to do, the state, and whether that is still
// to be reported, or told to webhooks.
struct Fate {
  RecipientState state = pending;
  bool held = false;
  int attempts = 0;
  int doubts = 0;
  bool owed = false;
  bool event = false;
  bool operator==(const Fate&) const = default;
  bool waits() const { return state == pending || state == doubtful; }
};

// And of a message.
struct Snapshot {
  bool there = true;
  std::vector<Fate> fates;
  int attempts_at_end = 0;  // of a message that has nobody left
  bool operator==(const Snapshot&) const = default;

  bool has_ended() const { return std::ranges::none_of(fates, &Fate::waits); }
  bool owes() const {
    return std::ranges::any_of(fates, &Fate::owed) || std::ranges::any_of(fates, &Fate::event);
  }
  // Nobody is left to be sent, or told of, or kept for the operator.
  bool is_over() const { return has_ended() && !has(failed) && !owes(); }
  bool has(RecipientState state) const {
    return std::ranges::find(fates, state, &Fate::state) != fates.end();
  }
  int most(int Fate::*what) const {
    int most = attempts_at_end;
    for (const Fate& fate : fates) most = std::max(most, fate.*what);
    return most;
  }
};

// A shipment that the relay has, and what was known of it before its doubt.
struct Ready {
  std::vector<std::uint32_t> recipients;
  bool open = false;
  std::set<std::uint32_t> marked;  // whom it was announced for
  int attempts = 0;                // before that
  int doubts = 0;
};

// A message as the model knows it: what it is now, and what it was since the last time that all was durable.
struct Modelled {
  std::string body;
  Snapshot now;
  std::map<ShipmentId, Ready> ready;
  bool has_gap = false;  // a power cut may have lost a part of its history
  std::vector<Snapshot> since;

  bool is_ready(std::uint32_t recipient) const {
    return std::ranges::any_of(ready, [recipient](const auto& each) {
      return std::ranges::find(each.second.recipients, recipient) != each.second.recipients.end();
    });
  }
};

inline std::ostream& operator<<(std::ostream& out, const Snapshot& snapshot) {
  if (!snapshot.there) return out << "gone";
  for (const Fate& fate : snapshot.fates)
    out << to_string(fate.state) << (fate.held ? " held" : "") << " attempts " << fate.attempts << " doubts "
        << fate.doubts << (fate.owed ? " owed" : "") << (fate.event ? " event" : "") << ", ";
  return out << "at the end " << snapshot.attempts_at_end;
}

}  // namespace relayd::queue::model
