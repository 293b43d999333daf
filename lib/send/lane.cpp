#include "send/lane.hpp"

#include <algorithm>
#include <limits>

namespace relayd::send {

using async::Task;
using namespace std::chrono_literals;

namespace {
// What a connection carries before it makes room for a lane that has none: so many messages, and for so many
// times as long as opening it took, because far away a handshake costs as much as many messages.
constexpr std::uint32_t turn_length = 20;
constexpr int turn_openings = 5;
constexpr Duration longest_turn = 10s;  // of the time that opening it earned
// An idle connection that was used so lately is warm for its own lane's next message.
constexpr Duration spare_after = 1s;
constexpr Duration ceiling_rises_after = 1min;

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

struct Lane::Connection final : Follow {
  explicit Connection(Lane& owner) : lane(owner) {}

  Task<Delivery*> next() override {
    // A probe goes alone.
    while (lane.troubles_ == 0 && !following.delivery && lane.site_->ahead.may(this, lane.loop_.now())) {
      const std::optional<Ticket> ticket = lane.take_for(*this);
      if (!ticket) break;
      co_await lane.load(*ticket, following);
    }
    if (!following.delivery) lane.site_->ahead.not_tried(this);
    co_return following.delivery.get();
  }

  void drop_transport() {
    transport.reset();
    carried = 0;
    recipients = 0;
    turn_until = {};
    is_over = false;
  }

  Lane& lane;
  std::unique_ptr<Transport> transport;  // null: not open
  unsigned generation = 0;               // of what the transport was made from
  std::uint32_t carried = 0;             // messages that it was given
  std::uint64_t recipients = 0;          // of these
  SteadyTime turn_until{};               // before that it need not make room
  bool is_over = false;                  // the desk wants no more to be sent there
  Taken current;                         // is being sent
  Taken following;                       // comes next, and may have been announced
  SteadyTime idle_since{};               // while it is idle
  std::optional<Ticket> handed;          // what ended an idle wait
};

Lane::Lane(async::Loop& loop, Desk& desk, LaneLimits limits, std::shared_ptr<Site> site,
           std::shared_ptr<Allowance> quota)
    : loop_(loop),
      desk_(desk),
      limits_(limits),
      site_(std::move(site)),
      quota_(std::move(quota)),
      pace_(limits.rates),
      turn_(loop),
      opening_(loop),
      ramp_(limits.connections),
      ceiling_(limits.connections) {}

Lane::~Lane() {
  site_->idle.erase(this);
  stop_waiting();
}

void Lane::use(LaneLimits limits, MakeTransport make_transport) {
  ramp_ = std::max(ramp_, troubles_ == 0 ? limits.connections : 1);
  ceiling_ = std::max(ceiling_, limits.connections);
  limits_ = limits;
  pace_.use(limits.rates);
  make_transport_ = std::move(make_transport);
  ++generation_;
  dismiss_idle();
  watch_opening();
}

// Idle connections end: none of them is handed a message any more.
void Lane::dismiss_idle() {
  const std::deque<Connection*> idle = std::exchange(idle_, {});
  show_idle();
  for (Connection* connection : idle) connection->transport->wake();
}

// --- open and closed ---

bool Lane::is_paused() const {
  return stopping_ || stopped_ || knocking_ || loop_.now() < paused_until_;
}

bool Lane::open() const {
  return !is_paused() && quota_->left(loop_.wall_now()) > 0;
}

SteadyTime Lane::closed_until() const {
  const WallTime now = loop_.wall_now();
  if (quota_->left(now) > 0) return paused_until_;
  return std::max(paused_until_, loop_.now() + (quota_->opens_at(now) - now));
}

void Lane::pause(SteadyTime until, Probe probe) {
  paused_until_ = until;
  probe_ = probe;
  ++troubles_;
  ramp_ = 1;
  stop_waiting();
  watch_opening();
  desk_.changed(*this);
}

void Lane::resume() {
  troubles_ = 0;
  paused_until_ = {};
  desk_.changed(*this);
  pump();
}

void Lane::probe() {
  if (is_paused()) paused_until_ = {};
  reopen();
}

void Lane::stop() {
  stopped_ = true;
  stop_waiting();
  watch_opening();
  dismiss_idle();
  desk_.changed(*this);
}

void Lane::go_on() {
  stopped_ = false;
  probe();
}

void Lane::watch_opening() {
  if (stopping_ || stopped_ || knocking_ || open()) return opening_.cancel();
  opening_.at(closed_until(), [this] { reopen(); });
}

// Its pause or its quota's time is over.
void Lane::reopen() {
  if (!open()) return watch_opening();
  const bool knocks = troubles_ > 0 && probe_ == Probe::knock && busy() == 0 && desk_.misses(*this);
  if (knocks && site_->used < site_->limit) {
    knocking_ = true;
    return scope_.spawn(serve(std::nullopt));
  }
  desk_.changed(*this);
  pump();
}

bool Lane::use_fewer_connections() {
  if (connections_ <= 1) return false;
  ceiling_ = static_cast<std::uint32_t>(connections_ - 1);
  ceiling_since_ = loop_.now();
  return true;
}

std::uint32_t Lane::allowed_connections() const {
  const auto risen = static_cast<std::uint64_t>((loop_.now() - ceiling_since_) / ceiling_rises_after);
  const std::uint64_t allowed = std::min<std::uint64_t>({limits_.connections, ramp_, ceiling_ + risen});
  return static_cast<std::uint32_t>(allowed);
}

// --- who is next ---

// Somebody waits, and neither pace nor quota is against it.
bool Lane::may_take() {
  if (!desk_.waits(*this)) return false;
  if (!open()) {  // a quota that another lane has used up
    watch_opening();
    desk_.changed(*this);
    return false;
  }
  const SteadyTime ready = pace_.ready_at(loop_.now());
  if (ready <= loop_.now()) return true;
  turn_.at(ready, [this] { pump(); });
  return false;
}

// To so many recipients at most.
std::optional<Ticket> Lane::take(std::uint64_t most) {
  const std::uint64_t left = quota_->left(loop_.wall_now());
  const std::optional<Ticket> ticket = desk_.next(
      *this,
      std::min<std::uint64_t>({most, limits_.recipients_per_message, pace_.most(loop_.now()), left}));
  if (!ticket) return ticket;
  pace_.take(ticket->recipients, loop_.now());
  quota_->take(ticket->recipients);
  if (quota_->left(loop_.wall_now()) > 0) return ticket;
  watch_opening();
  desk_.changed(*this);
  return ticket;
}

// How many recipients more a connection may carry.
std::uint64_t Lane::room_after(std::uint64_t recipients) const {
  const std::uint64_t limit = limits_.recipients_per_connection;
  if (limit == 0) return std::numeric_limits<std::uint64_t>::max();
  return limit - std::min(limit, recipients);
}

// The next message for a connection that has one already.
std::optional<Ticket> Lane::take_for(const Connection& connection) {
  if (is_worn(connection) || busy() > allowed_connections() || !may_take()) return std::nullopt;
  return take(room_after(connection.recipients));
}

// It ends with the message it carries: used up, overtaken by a reload, or in the way of a lane that has none.
bool Lane::is_worn(const Connection& connection) const {
  if (!connection.transport) return false;
  return connection.is_over || connection.generation != generation_ ||
         connection.carried >= limits_.messages_per_connection || room_after(connection.recipients) == 0 ||
         (connection.carried >= turn_length && loop_.now() >= connection.turn_until && others_wait());
}

// A message goes to a warm connection if one is idle, else to a new one if there may be more; the rest waits
// in line.
void Lane::pump() {
  while (busy() < allowed_connections() && may_take()) {
    Connection* const warm = idle_.empty() ? nullptr : idle_.back();
    if (!warm && !has_room()) break;
    const std::optional<Ticket> ticket = take(room_after(warm ? warm->recipients : 0));
    if (!ticket) break;
    if (!warm || idle_.empty() || idle_.back() != warm) {
      scope_.spawn(serve(ticket));
      continue;
    }
    Connection* connection = idle_.back();  // the one used last: the others may reach their idle time
    idle_.pop_back();
    show_idle();
    connection->handed = ticket;
    connection->transport->wake();
    show_probe();
  }
}

// --- the upstream's connections, shared with other lanes ---

// Another lane has messages and not one connection for them.
bool Lane::others_wait() const {
  return std::any_of(site_->waiting.begin(), site_->waiting.end(), [this](const Lane* lane) {
    return lane != this && lane->connections_ == 0 && desk_.waits(*lane);
  });
}

// A connection more. A lane that has some leaves room to those that wait.
bool Lane::has_room() {
  if (site_->used < site_->limit && (connections_ == 0 || !others_wait())) return true;
  if (connections_ < allowed_connections()) ask_for_room();
  return false;
}

// Another lane's idle connection may end for us; one that was busy a moment ago only if we have none at all.
void Lane::ask_for_room() {
  if (!place_) place_ = site_->waiting.insert(site_->waiting.end(), this);
  const SteadyTime idle_since = connections_ == 0 ? loop_.now() : loop_.now() - spare_after;
  for (Lane* lane : site_->idle)
    if (lane->give_room(idle_since)) return;
}

void Lane::stop_waiting() {
  if (place_) site_->waiting.erase(*place_);
  place_.reset();
}

void Lane::show_idle() {
  if (idle_.empty())
    site_->idle.erase(this);
  else
    site_->idle.insert(this);
}

bool Lane::give_room(SteadyTime idle_since) {
  if (idle_.empty() || idle_.front()->idle_since > idle_since) return false;
  Connection* const connection = idle_.front();  // the one that has waited longest
  idle_.pop_front();
  show_idle();
  connection->transport->wake();
  return true;
}

// A connection has ended. Its lane asks again, behind those that waited meanwhile.
void Lane::share_room() {
  const std::shared_ptr<Site> site = site_;
  stop_waiting();
  for (std::size_t left = site->waiting.size(); left > 0 && site->used < site->limit; --left) {
    Lane* const lane = site->waiting.front();
    lane->stop_waiting();
    lane->pump();
  }
  pump();
}

// --- a connection's life ---

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
  desk_.knocked(*this, report, failed);
  co_return !failed;
}

// A lane that probes takes one message at a time: whether it has one concerns the others.
void Lane::show_probe() {
  if (troubles_ > 0) desk_.changed(*this);
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

// Sends a message, and what follows it on the way; opens if need be. False: it could not be opened.
Task<bool> Lane::carry(Connection& connection, Ticket ticket) {
  co_await load(ticket, connection.current);
  while (connection.current.delivery) {
    if (!connection.transport && is_paused()) {
      settle_quota(connection.current.ticket.recipients, 0);
      desk_.give_back(connection.current.ticket.message);
      connection.current.delivery.reset();
      break;
    }
    if (!connection.transport) {
      const std::optional<Event> failed = co_await open_transport(connection);
      if (failed) {
        Report report = connection.transport->describe();
        report.add_rest(*connection.current.delivery, *failed);
        connection.drop_transport();
        settle(connection.current, report);
        co_return false;
      }
    }
    ++connection.carried;
    connection.recipients += connection.current.ticket.recipients;
    const Report report = co_await connection.transport->send(*connection.current.delivery, connection);
    if (report.untried)
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
  connection.turn_until = opened + std::min<Duration>(turn_openings * (opened - begun), longest_turn);
  co_return failed;
}

// A message is over; the one that was to follow it is the current one now.
void Lane::conclude(Connection& connection, const Report& report) {
  const Taken done = std::exchange(connection.current, std::exchange(connection.following, {}));
  const bool lost = connection.current.delivery && !connection.transport->usable();
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
  if (lost) return ahead.closed(&connection, loop_.now());
  if (connection.current.delivery)
    ahead.worked(&connection);
  else
    ahead.not_tried(&connection);
  return false;
}

void Lane::settle(const Taken& taken, const Report& report) {
  const std::uint64_t used = spent(report);
  settle_quota(taken.ticket.recipients, used);
  desk_.settle(*this, taken.ticket.message, *taken.delivery, report);
  if (used == 0 || troubles_ > 0 || ramp_ >= limits_.connections) return;
  ++ramp_;
  pump();
}

Task<std::optional<Ticket>> Lane::wait_for_work(Connection& connection) {
  connection.handed.reset();
  if (stopping_ || stopped_) co_return std::nullopt;
  connection.idle_since = loop_.now();
  idle_.push_back(&connection);
  show_idle();
  const bool woken = co_await connection.transport->idle(loop_.now() + limits_.idle);
  std::erase(idle_, &connection);
  show_idle();
  // It was handed a message while the server was leaving: the message takes another connection.
  if (connection.handed && (!woken || !connection.transport->usable())) connection.drop_transport();
  co_return connection.handed;
}

void Lane::shut_down() {
  stopping_ = true;
  turn_.cancel();
  opening_.cancel();
  stop_waiting();
  dismiss_idle();
}

void Lane::abort() {
  const std::set<Connection*> all = all_;
  for (Connection* connection : all)
    if (all_.contains(connection) && connection->transport) connection->transport->abort();
}

}  // namespace relayd::send
