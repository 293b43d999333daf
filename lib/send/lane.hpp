// Lane: one credential at one upstream, with its warm connections, limits and breaker.
//
// Fifth stage of the path; owned by the relay, one for each (upstream, credential). All senders who share an
// account share its connections; no lane waits for another. It takes a message from its Desk when it has a
// connection for it, sends and reports; what an answer means is decided by the Desk, which tells the lane to
// pause, slow down or use fewer connections.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "send/allowance.hpp"
#include "send/breaker.hpp"
#include "send/line.hpp"
#include "send/pace.hpp"
#include "send/site.hpp"
#include "send/transport.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"

namespace relayd::send {

struct LaneLimits {
  std::uint32_t connections = 10;
  std::uint32_t messages_per_connection = 1000;
  std::uint32_t recipients_per_message = 100;
  Duration idle = std::chrono::seconds(30);
  std::uint32_t recipients_per_connection = 0;  // zero: any number
  std::vector<config::Rate> rates;
};

class Lane;

// What a lane asks of the relay. Messages go by an id of the desk's: two shipments of one message are two
// messages to a lane.
class Desk {
 public:
  virtual ~Desk() = default;
  // Whether a message waits that the lane may take now.
  virtual bool waits(const Lane& lane) = 0;
  // So many wait, those included that have gone meanwhile.
  virtual std::size_t waiting(const Lane& lane) = 0;
  // The next message, for so many recipients at most; nothing: there is none for now, and the desk calls
  // pump() when that changes.
  virtual std::optional<Ticket> next(Lane& lane, std::uint64_t most) = 0;
  // The lane has opened or closed, or a probe has begun or ended: lines may belong to another lane now, or
  // come back to this one.
  virtual void changed(Lane& lane) = 0;
  // Mail waits for the lane, or has gone another way since it closed.
  virtual bool misses(const Lane& lane) = 0;
  // A connection without a message was opened, or could not be: see pause(). The desk resumes the lane or
  // pauses it again.
  virtual void knocked(Lane& lane, const Report& report, const std::optional<Event>& failed) = 0;
  // The message for at most so many of its recipients, ready for sending; null when it is gone or cannot be
  // read (the desk has dealt with it).
  virtual async::Task<std::unique_ptr<Delivery>> load(Lane& lane, Ticket ticket) = 0;
  // Asked before it is sent: false when what it is made from, or where it goes, may have changed meanwhile.
  // It is given back then, and nothing of it is sent.
  virtual bool holds(const Delivery& delivery) = 0;
  // What came of it, with an event for each recipient of the delivery. When no connection could be opened,
  // the desk must pause the lane or change what the next transport will be.
  virtual void settle(Lane& lane, std::uint64_t message, const Delivery& delivery, const Report& report) = 0;
  // A server has ended a warm connection before it heard of the message. Whether what it said is about the
  // lane, and is settled; else another connection takes the message.
  virtual bool concerns_lane(Lane& lane, const Report& report) = 0;
  // It was not tried; back to the queue.
  virtual void give_back(std::uint64_t message) = 0;
  // Returns when what is known of the lane's site is on disk: something risky is about to be tried there.
  virtual async::Task<void> note_site(Lane& lane) = 0;
  // Messages do not follow each other behind the final dot any more: the server, seen with this one,
  // mishandles it.
  virtual void turned_down(Lane& lane, std::uint64_t message) = 0;
};

class Lane {
 public:
  using MakeTransport = std::function<std::unique_ptr<Transport>()>;

  Lane(async::Loop& loop, Desk& desk, LaneLimits limits, std::shared_ptr<Site> site,
       std::shared_ptr<Allowance> quota);
  virtual ~Lane();

  // Stops until then. Afterwards a single connection probes, and the lane opens again with one connection
  // more for each delivery. A knock goes out by itself where mail misses the lane.
  void pause(SteadyTime until, Probe probe = Probe::message);
  void resume();
  // Ends a pause before its time; a single connection probes all the same. The site's is another matter.
  void probe();
  // Until go_on() it takes nothing, whatever it is told; connections end with the message they carry.
  void stop();
  void go_on();
  bool stopped() const { return stopped_; }
  // The upstream finds it too fast: half the pace, for a while.
  void slow_down() { pace_.slow_down(loop_.now()); }
  // The upstream has named the rate that it takes. False: that tells nothing new, or cannot be true.
  bool learn_rate(const config::Rate& rate) { return pace_.learn(rate, loop_.now()); }
  // The upstream has too many connections: one less than now, one more again each minute. False: it is down
  // to one already.
  bool use_fewer_connections();
  // Only while the desk settles a message: the connection that carried it ends, what it was given already
  // goes first. Others are not concerned.
  void leave() { leaving_ = true; }

  bool open() const;
  // It takes nothing, for another reason than its quota.
  bool paused() const;
  // It, or its site, was in trouble, and nothing has shown yet that this is over.
  bool in_trouble() const { return breaker_.in_trouble() || site_->in_trouble(); }
  // It tries whether the trouble is over, and has a message for that.
  bool probing() const { return in_trouble() && busy() > 0; }
  // The end of the latest pause, its own or the site's; long ago: there is none.
  SteadyTime paused_until() const { return std::max(breaker_.until(), site_->breaker().until()); }
  // When it opens again, by these pauses or its quota.
  SteadyTime closed_until() const;
  const Breaker& breaker() const { return breaker_; }

  std::size_t connections() const { return connections_; }
  std::size_t idle_connections() const { return idle_.size(); }
  std::uint32_t allowed_connections() const;
  const Pace& pace() const { return pace_; }
  const Allowance& quota() const { return *quota_; }
  bool sends_ahead() const { return !site_->ahead.is_lost(loop_.now()); }

  // Sees to it that pump() is called once it opens. It knows itself of its own pauses; this is for a quota
  // that others have used up, and for its site.
  void await_opening();
  // Takes what waits, as far as limits allow.
  void pump();

  // What connections go by from now on; before the first message. Idle ones end, busy ones when their message
  // is done.
  void use(LaneLimits limits, MakeTransport make_transport);

  // Takes nothing more; connections end with the message they carry.
  void shut_down();
  void abort();
  async::Task<void> drained() { return scope_.drained(); }

  // --- what its site says ---
  // Another pause has begun or ended.
  void site_changed();
  // A probe of the site may begin here, if mail waits for it.
  void try_site();
  // It has no room yet, and would take some.
  void stop_waiting();

 private:
  struct Connection;
  // A message that was taken from the line.
  struct Taken {
    Ticket ticket;
    std::unique_ptr<Delivery> delivery;
  };

  void recall_rates();
  std::optional<Ticket> take(std::uint64_t most);
  std::uint64_t at_most(smtp::Cap cap, std::uint64_t configured) const {
    return site_->learnt.at_most(cap, configured, loop_.now());
  }
  std::uint64_t room_after(std::uint64_t recipients) const;
  bool may_take();
  void watch_opening();
  void reopen();
  std::optional<Ticket> take_for(const Connection& connection);
  bool is_worn(const Connection& connection) const;
  bool others_wait() const;
  bool has_room();
  bool pays_to_open();
  void ask_for_room();
  bool give_room(SteadyTime idle_since);
  void share_room();
  void dismiss_idle();
  void show_idle();

  async::Task<void> serve(std::optional<Ticket> ticket);
  async::Task<bool> knock(Connection& connection);
  void show_probe();
  void next_probe();
  void settle_quota(std::uint64_t taken, std::uint64_t used);
  async::Task<void> load(Ticket ticket, Taken& place);
  void give_back(Taken& taken);
  async::Task<bool> carry(Connection& connection, Ticket ticket);
  async::Task<std::optional<Event>> open_transport(Connection& connection);
  void conclude(Connection& connection, const Report& report);
  bool judge_ahead(const Connection& connection, const Report& report, bool lost);
  void settle(const Taken& taken, const Report& report);
  async::Task<std::optional<Ticket>> wait_for_work(Connection& connection);
  std::size_t busy() const { return connections_ - idle_.size(); }

  async::Loop& loop_;
  Desk& desk_;
  LaneLimits limits_;
  std::shared_ptr<Site> site_;
  std::shared_ptr<Allowance> quota_;
  MakeTransport make_transport_;
  Pace pace_;
  async::Timer turn_;     // rings when the pace allows the next message
  async::Timer opening_;  // rings when the lane opens by itself
  async::Timer hurry_;    // rings when the connections there are seem stuck
  SteadyTime took_at_{};  // the latest message
  std::set<Connection*> all_;
  std::deque<Connection*> idle_;
  std::optional<std::list<Lane*>::iterator> place_;  // among those that wait for room
  std::size_t connections_ = 0;
  Breaker breaker_;
  bool knocking_ = false;
  bool stopped_ = false;   // by the operator
  std::uint32_t ramp_;     // connections that may be used after trouble; grows with success
  std::uint32_t ceiling_;  // connections that the upstream stands, as far as we know
  SteadyTime ceiling_since_{};
  bool leaving_ = false;     // leave() was called
  unsigned generation_ = 0;  // counts use()
  bool stopping_ = false;
  async::Scope scope_;
};

}  // namespace relayd::send
