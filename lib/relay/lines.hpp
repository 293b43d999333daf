// Lines: what is due and waits for a lane, one line for each route in use.
//
// Owned by the dispatcher. A route is the lanes that a rule names, in their order. A shipment stands in the
// line of its route until a lane takes it: the first that is open, past those alone whose trouble is a reason
// to pass them over. So nothing waits for a lane's sake while another could take it, and mail flows back by
// itself. A line holds ids, and is only a hint: in the queue the shipment waits, may be held, deleted, given
// up, or found to belong elsewhere.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/queue.hpp"
#include "relay/lanes.hpp"
#include "send/line.hpp"
#include "shared/async/loop.hpp"

namespace relayd {

// A line, and the lanes that may take from it.
struct RouteLine {
  std::uint32_t number = 0;       // Shipment::line; never used twice
  std::vector<LaneEntry*> lanes;  // in the order of the route
  send::Line line;
  LaneEntry* way = nullptr;               // who takes from it now; null: nobody, or it is empty
  std::list<RouteLine*>::iterator place;  // in way->lines
};

class Lines {
 public:
  Lines(async::Loop& loop, queue::Queue& queue, Lanes& lanes)
      : loop_(loop), queue_(queue), lanes_(lanes), later_(loop), renewal_(loop), idle_(loop) {}

  // A ready shipment waits in the line of these choices of the present router. It is handed out again at
  // `until`, if nobody has taken it by then.
  void put(queue::Shipment& shipment, std::span<const route::Choice> choices, SteadyTime until);

  // The router has changed, or the clock was set. All lines end; their shipments are due and routed anew from
  // the first upstream, a thousand at a time.
  void renew();

  // No lane goes any more: somebody waits for their connections.
  void shut_down() { idle_.cancel(); }

  // What send::Desk asks.
  bool waits(const LaneEntry& lane) const { return !lane.lines.empty(); }
  std::size_t waiting_now(const LaneEntry& lane) const;  // also those that have gone meanwhile
  std::optional<send::Ticket> next(LaneEntry& lane, std::uint64_t most);
  void changed(LaneEntry& lane);
  bool misses(const LaneEntry& lane);

  // Shipments that wait for it, or for it first.
  std::size_t waiting(const LaneEntry& lane) const;

 private:
  RouteLine& line_of(std::span<const route::Choice> choices, std::string_view sender);
  RouteLine& line_through(std::vector<LaneEntry*> lanes);
  bool is_idle(const LaneEntry& lane) const;
  void drop(LaneEntry& lane);
  void drop_idle();
  std::uint32_t ask(const RouteLine& line, std::uint64_t id);
  bool stands_in(const RouteLine& line, std::uint64_t id);
  bool assign(RouteLine& line);
  void put_off(LaneEntry& lane);
  void empty_old();

  async::Loop& loop_;
  queue::Queue& queue_;
  Lanes& lanes_;
  std::map<std::pair<const route::Choice*, std::size_t>, RouteLine*> by_choices_;
  std::map<std::vector<LaneEntry*>, std::unique_ptr<RouteLine>> lines_;
  std::deque<std::pair<std::uint32_t, std::uint64_t>> old_;  // number of a line that has ended, shipment
  std::uint32_t last_number_ = 0;
  std::set<LaneEntry*> put_off_;  // lanes that look again in a moment
  async::Timer later_;
  async::Timer renewal_;
  async::Timer idle_;  // rings when lanes of senders may have been idle for long
};

}  // namespace relayd
