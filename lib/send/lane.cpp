#include "send/lane.hpp"

#include <algorithm>

namespace relayd::send {

using async::Task;

struct Lane::Connection {
  std::unique_ptr<Transport> transport;  // null: not open
  std::uint32_t carried = 0;
  std::uint64_t handed = 0;  // the message that ended an idle wait
  unsigned generation = 0;   // of what the transport was made from
};

Lane::Lane(async::Loop& loop, Desk& desk, LaneLimits limits, std::shared_ptr<Budget> budget,
           MakeTransport make_transport)
    : loop_(loop),
      desk_(desk),
      limits_(limits),
      budget_(std::move(budget)),
      make_transport_(std::move(make_transport)) {
  budget_->lanes.insert(this);
}

Lane::~Lane() {
  budget_->lanes.erase(this);
}

void Lane::use(LaneLimits limits, MakeTransport make_transport) {
  limits_ = limits;
  make_transport_ = std::move(make_transport);
  ++generation_;
  dismiss_idle();
}

// Idle connections end: none of them is handed a message any more.
void Lane::dismiss_idle() {
  const std::deque<Connection*> idle = std::exchange(idle_, {});
  for (Connection* connection : idle) connection->transport->wake();
}

bool Lane::open() const {
  return !stopping_ && loop_.now() >= paused_until_;
}

void Lane::enqueue(std::uint64_t message) {
  line_.push_back(message);
  pump();
}

void Lane::pause(SteadyTime until) {
  paused_until_ = until;
  ++troubles_;
  probing_ = true;
  const std::deque<std::uint64_t> line = std::exchange(line_, {});
  for (const std::uint64_t message : line) desk_.give_back(message);
}

void Lane::resume() {
  troubles_ = 0;
  paused_until_ = {};
  probing_ = false;
  pump();
}

// A message goes to a warm connection if one is idle, else to a new one if there may be more; the rest waits
// in line.
void Lane::pump() {
  while (!line_.empty() && open() && busy() < allowed_connections()) {
    if (!idle_.empty()) {
      Connection* connection = idle_.back();  // the one used last: the others may reach their idle time
      idle_.pop_back();
      connection->handed = line_.front();
      line_.pop_front();
      connection->transport->wake();
    } else if (budget_->used < budget_->limit) {
      const std::uint64_t message = line_.front();
      line_.pop_front();
      scope_.spawn(serve(message));
    } else {
      if (connections_ < allowed_connections()) ask_for_room();
      return;
    }
  }
}

// The upstream's connections are used up: another lane's idle one may end for us.
void Lane::ask_for_room() {
  for (Lane* lane : budget_->lanes)
    if (lane->give_room()) return;
}

bool Lane::give_room() {
  if (idle_.empty()) return false;
  Connection* const connection = idle_.front();  // the one that has waited longest
  idle_.pop_front();
  connection->transport->wake();
  return true;
}

// One connection's life: message after message, then warm for a while.
Task<void> Lane::serve(std::uint64_t message) {
  ++connections_;
  ++budget_->used;
  Connection connection;
  all_.insert(&connection);
  for (;;) {
    const bool opened = co_await carry(connection, message);
    if (!opened) break;
    if (connection.transport && (!connection.transport->usable() || connection.generation != generation_ ||
                                 ++connection.carried >= limits_.messages_per_connection)) {
      co_await connection.transport->close();
      connection.transport.reset();
      connection.carried = 0;
    }
    if (!line_.empty() && open() && busy() <= allowed_connections()) {
      message = line_.front();
      line_.pop_front();
      continue;
    }
    if (!connection.transport) break;
    const bool work = co_await wait_for_work(connection);
    if (!work) break;
    message = connection.handed;
  }
  if (connection.transport) co_await connection.transport->close();
  all_.erase(&connection);
  --connections_;
  --budget_->used;
  for (Lane* lane : budget_->lanes) lane->pump();
}

// Opens if need be, sends, and has it settled. False: it could not be opened.
Task<bool> Lane::carry(Connection& connection, std::uint64_t message) {
  const std::unique_ptr<Delivery> delivery = co_await desk_.load(message);
  if (!delivery) co_return true;
  for (;;) {
    if (!connection.transport) {
      connection.transport = make_transport_();
      connection.generation = generation_;
      const std::optional<Event> failed = co_await connection.transport->open();
      if (failed) {
        Report report = connection.transport->describe();
        report.add_rest(*delivery, *failed);
        connection.transport.reset();
        desk_.settle(message, *delivery, report);
        co_return false;
      }
    }
    const Report report = co_await connection.transport->send(*delivery);
    if (!report.went_stale()) {
      desk_.settle(message, *delivery, report);
      co_return true;
    }
    // The server had closed the warm connection before it heard of this message: no attempt was made.
    connection.transport.reset();
    connection.carried = 0;
  }
}

Task<bool> Lane::wait_for_work(Connection& connection) {
  if (stopping_) co_return false;
  connection.handed = 0;
  idle_.push_back(&connection);
  const bool woken = co_await connection.transport->idle(loop_.now() + limits_.idle);
  std::erase(idle_, &connection);
  if (connection.handed == 0) co_return false;
  if (!woken || !connection.transport->usable()) {
    // It was handed a message while the server was leaving: the message takes another connection.
    connection.transport.reset();
    connection.carried = 0;
  }
  co_return true;
}

void Lane::shut_down() {
  stopping_ = true;
  const std::deque<std::uint64_t> line = std::exchange(line_, {});
  for (const std::uint64_t message : line) desk_.give_back(message);
  dismiss_idle();
}

void Lane::abort() {
  const std::set<Connection*> all = all_;
  for (Connection* connection : all)
    if (all_.contains(connection) && connection->transport) connection->transport->abort();
}

}  // namespace relayd::send
