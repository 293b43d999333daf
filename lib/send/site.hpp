// Site: what all lanes of an upstream share: its connections, its health, and what was learnt of its servers.
//
// Fifth stage of the path; owned by its lanes. An outage is met once, not once for each account: the site
// pauses, then a single lane tries, and all go on once that one was let in. What an answer means is decided
// by the relay, which tells the site to pause or resume.
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <set>

#include "send/ahead.hpp"
#include "send/breaker.hpp"
#include "send/contacts.hpp"
#include "send/learnt.hpp"
#include "send/opening.hpp"
#include "shared/async/loop.hpp"

namespace relayd::send {

class Lane;

class Site {
 public:
  explicit Site(async::Loop& loop) : loop_(loop), opening_(loop), telling_(loop) {}
  virtual ~Site() = default;

  // --- connections; the lanes keep these up to date ---
  std::uint32_t limit = 100;
  std::uint32_t used = 0;
  std::set<Lane*> idle;      // lanes with a connection that has nothing to do
  std::list<Lane*> waiting;  // for room, in the order they asked

  // Room for a connection more. After trouble it grows with each delivery.
  bool has_room() const { return used < most_connections() && used < ramp_ && used < ceiling(); }
  // Its host stands no more: one less than now, one more again each minute. False: there is one alone.
  bool use_fewer_connections();
  // So many now, one more again each minute.
  void use_at_most(std::uint32_t connections);
  std::uint64_t ceiling() const;
  static constexpr std::uint32_t no_ceiling = std::numeric_limits<std::uint32_t>::max();
  std::uint64_t most_connections() const {
    return learnt.at_most(smtp::Cap::connections_total, limit, loop_.now());
  }
  // Lanes that wait for room take it, as far as it goes.
  void offer_room();
  void delivered();

  Ahead ahead;
  Learnt learnt;
  Opening opening;
  Contacts contacts;

  // --- health ---
  // No lane takes anything until then. Afterwards a single one probes.
  void pause(SteadyTime until, Probe probe);
  // A knock more, at another port.
  void knock_again(SteadyTime at);
  // The trouble is over.
  void resume();
  // Ends a pause before its time; a single lane probes all the same.
  void probe();
  const Breaker& breaker() const { return breaker_; }
  bool in_trouble() const { return breaker_.in_trouble(); }

  // --- what lanes say and ask ---
  void join(Lane& lane) { lanes_.insert(&lane); }
  void leave(Lane& lane);
  // It may not send now: the site is paused, or another lane probes.
  bool closed_to(const Lane& lane) const;
  // Sees to it that a lane probes when the pause is over.
  void await_opening();
  // The lane probes, where the site is in trouble: it has a message or knocks.
  void claim(const Lane& lane);
  // It has stopped doing so, and perhaps shown nothing.
  void release(const Lane& lane);

 private:
  void open_for_one();
  void ask_lanes();
  void tell_lanes();
  void tell_more();

  async::Loop& loop_;
  Breaker breaker_;
  std::uint32_t ramp_ = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t ceiling_ = no_ceiling;
  SteadyTime ceiling_since_{};
  std::set<Lane*> lanes_;
  const Lane* prober_ = nullptr;  // null: the first that has something to send
  Lane* asked_ = nullptr;         // the last that was asked to probe; compared alone
  std::size_t to_ask_ = 0;        // so many were not asked yet
  Lane* told_ = nullptr;          // the last that knows how the site stands; compared alone
  async::Timer opening_;          // rings when the pause is over
  async::Timer telling_;          // rings for the next of many lanes
};

}  // namespace relayd::send
