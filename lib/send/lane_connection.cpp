// A connection's life: opened, message after message, warm for a while, closed.
#include "send/lane_connection.hpp"

#include <algorithm>

namespace relayd::send {

using async::Task;
using namespace std::chrono_literals;

namespace {
// It need not make room for so many times as long as opening it took: far away a handshake costs as much as
// many messages.
constexpr int turn_openings = 5;
constexpr Duration longest_turn = 10s;  // of the time that opening it earned

bool is_delivered(const Event& event) {
  return !event.trouble && event.stage == smtp::Stage::final_dot && event.reply.positive();
}

// What the upstream may have counted: deliveries, and what it never answered.
std::uint64_t spent(const Report& report) {
  return static_cast<std::uint64_t>(
      std::count_if(report.recipients.begin(), report.recipients.end(), [](const RecipientEvent& entry) {
        return is_delivered(entry.event) ||
               (entry.event.trouble && entry.event.stage == smtp::Stage::final_dot);
      }));
}
}  // namespace

// Message after message, then warm for a while. Without a ticket it knocks first.
Task<void> Lane::serve(std::optional<Ticket> ticket) {
  ++connections_;
  ++site_->used;
  show_probe();
  Connection connection(*this);
  all_.insert(&connection);
  std::optional<Ticket> next = ticket;
  if (!next) {
    const bool opened = co_await knock(connection);
    if (opened) next = take_for(connection);
    if (opened && !next && !others_wait()) next = co_await wait_for_work(connection);
  }
  while (next) {
    const bool opened = co_await carry(connection, *next);
    if (!opened) break;
    if (connection.transport && (!connection.transport->usable() || is_worn(connection))) {
      co_await connection.transport->close();
      connection.drop_transport();
      if (others_wait()) break;
    }
    next = take_for(connection);
    if (!next && connection.transport && !others_wait()) next = co_await wait_for_work(connection);
  }
  if (connection.transport) co_await connection.transport->close();
  site_->ahead.not_tried(&connection);
  all_.erase(&connection);
  --connections_;
  --site_->used;
  show_probe();
  share_room();
}

// Whether the trouble is over shows before any message is put at risk.
Task<bool> Lane::knock(Connection& connection) {
  const std::optional<Event> failed = co_await open_transport(connection);
  const Report report = connection.transport->describe();
  if (failed) connection.drop_transport();
  knocking_ = false;
  if (failed && connection.generation != generation_)
    reopen();  // it says nothing of what was configured meanwhile
  else
    desk_.knocked(*this, report, failed);
  watch_opening();
  co_return !failed;
}

// The last one has ended, and perhaps shown nothing.
void Lane::next_probe() {
  show_probe();
  pump();
}

// A lane that probes takes one message at a time: whether it has one concerns the others.
void Lane::show_probe() {
  if (in_trouble()) desk_.changed(*this);
  if (busy() == 0 && !knocking_) site_->release(*this);
}

// So many of those that were taken from the quota were sent.
void Lane::settle_quota(std::uint64_t taken, std::uint64_t used) {
  const bool was_open = open();
  quota_->settle(taken, used, loop_.wall_now());
  if (!was_open) reopen();
}

Task<void> Lane::load(Ticket ticket, Taken& place) {
  place.ticket = ticket;
  place.delivery = co_await desk_.load(*this, ticket);
  if (!place.delivery) settle_quota(ticket.recipients, 0);
}

void Lane::give_back(Taken& taken) {
  settle_quota(taken.ticket.recipients, 0);
  desk_.give_back(taken.ticket.message);
  taken.delivery.reset();
}

// Sends a message, and what follows it on the way; opens if need be. False: it could not be opened.
Task<bool> Lane::carry(Connection& connection, Ticket ticket) {
  co_await load(ticket, connection.current);
  while (connection.current.delivery) {
    if (!connection.transport && paused()) {
      give_back(connection.current);
      break;
    }
    if (!connection.transport) {
      const std::optional<Event> failed = co_await open_transport(connection);
      if (failed && connection.generation != generation_) {  // it says nothing of what is configured since
        connection.drop_transport();
        give_back(connection.current);
        break;
      }
      if (failed) {
        Report report = connection.transport->describe();
        report.add_rest(*connection.current.delivery, *failed);
        connection.drop_transport();
        settle(connection.current, report);
        co_return false;
      }
    }
    if (stopped_ || !desk_.holds(*connection.current.delivery)) {
      give_back(connection.current);
      if (connection.announced) connection.drop_transport();  // its transaction ends without content
      break;
    }
    const smtp::Carried carried{connection.carried, connection.recipients};
    ++connection.carried;
    connection.recipients += connection.current.ticket.recipients;
    const SteadyTime begun = loop_.now();
    Report report = co_await connection.transport->send(*connection.current.delivery, connection);
    report.carried = carried;
    site_->opening.sent(loop_.now() - begun);
    if (report.untried && !desk_.concerns_lane(*this, report))
      connection.drop_transport();
    else
      conclude(connection, report);
  }
  co_return true;
}

Task<std::optional<Event>> Lane::open_transport(Connection& connection) {
  connection.transport = make_transport_();
  connection.generation = generation_;
  const SteadyTime begun = loop_.now();
  std::optional<Event> failed = co_await connection.transport->open();
  const SteadyTime opened = loop_.now();
  connection.opened = opened;
  if (!failed) site_->opening.opened(opened - begun);
  connection.turn_until = opened + std::min<Duration>(turn_openings * (opened - begun), longest_turn);
  co_return failed;
}

// A message is over; the one that was to follow it is the current one now.
void Lane::conclude(Connection& connection, const Report& report) {
  const Taken done = std::exchange(connection.current, std::exchange(connection.following, {}));
  const bool lost = connection.current.delivery && !connection.transport->usable();
  connection.announced = report.was_followed;
  if (lost) connection.drop_transport();
  if (judge_ahead(connection, report, lost)) desk_.turned_down(*this, done.ticket.message);
  leaving_ = false;
  settle(done, report);
  if (connection.transport) connection.is_over |= leaving_;
}

// What was learnt about messages behind a final dot; `lost`: one was there when the connection ended. True:
// no more of them for a while.
bool Lane::judge_ahead(const Connection& connection, const Report& report, bool lost) {
  Ahead& ahead = site_->ahead;
  if (ahead.is_lost(loop_.now())) return false;
  if (report.out_of_step) {
    ahead.lost(loop_.now());
    return true;
  }
  const bool ended_by_us = report.recipients.front().event.trouble == smtp::Trouble::cancelled;
  if (lost && report.was_followed && !ended_by_us) return ahead.closed(&connection, loop_.now());
  if (report.was_followed && !ended_by_us)
    ahead.worked(&connection, loop_.now());
  else
    ahead.not_tried(&connection);
  return false;
}

void Lane::settle(const Taken& taken, const Report& report) {
  const std::uint64_t used = spent(report);
  settle_quota(taken.ticket.recipients, used);
  desk_.settle(*this, taken.ticket.message, *taken.delivery, report);
  if (used == 0 || in_trouble()) return;
  site_->delivered();
  if (ramp_ >= limits_.connections) return;
  ++ramp_;
  pump();
}

Task<std::optional<Ticket>> Lane::wait_for_work(Connection& connection) {
  connection.handed.reset();
  if (stopping_ || stopped_) co_return std::nullopt;
  connection.idle_since = loop_.now();
  idle_.push_back(&connection);
  show_idle();
  if (in_trouble()) turn_.at(loop_.now(), [this] { next_probe(); });
  const bool woken = co_await connection.transport->idle(loop_.now() + limits_.idle);
  std::erase(idle_, &connection);
  show_idle();
  // It was handed a message while the server was leaving: the message takes another connection.
  if (connection.handed && (!woken || !connection.transport->usable())) connection.drop_transport();
  co_return connection.handed;
}

}  // namespace relayd::send
