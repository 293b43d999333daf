// Lane: one credential at one upstream, with its own waiting line, warm connections and breaker.
//
// Fifth stage of the path; owned by the relay, one for each (upstream, credential). All senders who share an
// account share its connections; no lane waits for another. It sends and reports; what an answer means is
// decided by its Desk, which tells the lane to pause when the trouble is the lane's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "send/transport.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"

namespace relayd::send {

struct LaneLimits {
  std::uint32_t connections = 10;
  std::uint32_t messages_per_connection = 100;
  Duration idle = std::chrono::seconds(30);
};

class Lane;

// The connections of an upstream, all its lanes together.
struct Budget {
  std::uint32_t limit = 100;
  std::uint32_t used = 0;
  std::set<Lane*> lanes;  // who shares it; the lanes see to that
};

// What a lane asks of the relay. Messages go by the value of their id.
class Desk {
 public:
  virtual ~Desk() = default;
  // The message, ready for sending; null when it is gone or cannot be read (the desk has dealt with it).
  virtual async::Task<std::unique_ptr<Delivery>> load(std::uint64_t message) = 0;
  // What came of it, with an event for each recipient of the delivery. When no connection could be opened,
  // the desk must pause the lane or change what the next transport will be.
  virtual void settle(std::uint64_t message, const Delivery& delivery, const Report& report) = 0;
  // It was not tried; back to the queue.
  virtual void give_back(std::uint64_t message) = 0;
};

class Lane {
 public:
  using MakeTransport = std::function<std::unique_ptr<Transport>()>;

  Lane(async::Loop& loop, Desk& desk, LaneLimits limits, std::shared_ptr<Budget> budget,
       MakeTransport make_transport);
  ~Lane();

  // Takes a message. Only while it is open(): a paused lane has no line.
  void enqueue(std::uint64_t message);

  // Stops until then: the line goes back to the desk. Afterwards a single connection probes; a delivery or a
  // refusal that is the message's own fault opens the lane again.
  void pause(SteadyTime until);
  void resume();
  // Ends a pause before its time; a single connection probes all the same.
  void probe() { paused_until_ = {}; }
  bool open() const;
  SteadyTime paused_until() const { return paused_until_; }
  unsigned troubles() const { return troubles_; }  // pauses in a row

  std::size_t waiting() const { return line_.size(); }
  std::size_t connections() const { return connections_; }

  // Sends what waits, as far as limits allow.
  void pump();

  // What connections go by from now on. Idle ones end, busy ones when their message is done.
  void use(LaneLimits limits, MakeTransport make_transport);

  // Gives the line back; connections end with the message they carry.
  void shut_down();
  void abort();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  struct Connection;

  void dismiss_idle();
  async::Task<void> serve(std::uint64_t message);
  async::Task<bool> carry(Connection& connection, std::uint64_t message);
  async::Task<bool> wait_for_work(Connection& connection);
  void ask_for_room();
  bool give_room();
  std::size_t busy() const { return connections_ - idle_.size(); }
  std::uint32_t allowed_connections() const { return probing_ ? 1 : limits_.connections; }

  async::Loop& loop_;
  Desk& desk_;
  LaneLimits limits_;
  std::shared_ptr<Budget> budget_;
  MakeTransport make_transport_;
  std::deque<std::uint64_t> line_;
  std::set<Connection*> all_;
  std::deque<Connection*> idle_;
  std::size_t connections_ = 0;
  SteadyTime paused_until_{};
  unsigned troubles_ = 0;
  bool probing_ = false;
  unsigned generation_ = 0;  // counts use()
  bool stopping_ = false;
  async::Scope scope_;
};

}  // namespace relayd::send
