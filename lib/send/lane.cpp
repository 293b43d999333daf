#include "send/lane.hpp"

#include <algorithm>
#include <limits>

#include "send/lane_connection.hpp"

namespace relayd::send {

using async::Task;
using namespace std::chrono_literals;

namespace {
// What a connection carries before it makes room for a lane that has none: so many messages, and for a time
// that opening it earned.
constexpr std::uint32_t turn_length = 20;
// An idle connection that was used so lately is warm for its own lane's next message.
constexpr Duration spare_after = 1s;
constexpr Duration ceiling_rises_after = 1min;
constexpr Duration look_at_quota = 1min;
// A connection ends with the message it carries then: the name may lead elsewhere by now, and a server that
// is to be emptied is left.
constexpr Duration oldest_connection = 10min;
}  // namespace

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
      hurry_(loop),
      ramp_(limits.connections),
      ceiling_(limits.connections) {
  site_->join(*this);
  recall_rates();
}

// What the account has sent of late, also before a restart.
void Lane::recall_rates() {
  const WallTime now = loop_.wall_now();
  for (const config::Rate& rate : limits_.rates) {
    std::vector<Pace::Earlier> earlier;
    for (const auto& [time, count] : quota_->earlier(rate, now))
      earlier.push_back({loop_.now() - (now - time), count});
    pace_.recall(rate, earlier, loop_.now());
  }
}

Lane::~Lane() {
  site_->idle.erase(this);
  stop_waiting();
  site_->leave(*this);
}

void Lane::use(LaneLimits limits, MakeTransport make_transport) {
  ramp_ = std::max(ramp_, breaker_.in_trouble() ? 1 : limits.connections);
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

bool Lane::paused() const {
  return stopping_ || stopped_ || knocking_ || breaker_.paused(loop_.now()) || site_->closed_to(*this);
}

bool Lane::open() const {
  return !paused() && quota_->left(loop_.wall_now()) > 0;
}

SteadyTime Lane::closed_until() const {
  const WallTime now = loop_.wall_now();
  if (quota_->left(now) > 0) return paused_until();
  return std::max(paused_until(), loop_.now() + (quota_->opens_at(now) - now));
}

void Lane::pause(SteadyTime until, Probe probe) {
  breaker_.pause(until, probe);
  ramp_ = 1;
  stop_waiting();
  watch_opening();
  desk_.changed(*this);
}

void Lane::resume() {
  breaker_.reset();
  watch_opening();
  desk_.changed(*this);
  pump();
}

void Lane::probe() {
  breaker_.end_pause();
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

// Of the site's opening the site knows.
void Lane::watch_opening() {
  const bool rests = breaker_.paused(loop_.now());
  const bool closed = rests || quota_->left(loop_.wall_now()) == 0;
  if (stopping_ || stopped_ || knocking_ || !closed) return opening_.cancel();
  // Others may give back what they took from the same quota.
  const SteadyTime until = rests ? breaker_.until() : std::min(closed_until(), loop_.now() + look_at_quota);
  opening_.at(until, [this] { reopen(); });
}

void Lane::await_opening() {
  if (!opening_.armed()) watch_opening();
  site_->await_opening();
}

// A pause or its quota's time is over.
void Lane::reopen() {
  if (!open()) return watch_opening();
  const bool knocks = (breaker_.knocks() || site_->breaker().knocks()) && busy() == 0 && desk_.misses(*this);
  if (knocks && site_->used < site_->most_connections()) {
    knocking_ = true;
    site_->claim(*this);
    return scope_.spawn(serve(std::nullopt));
  }
  desk_.changed(*this);
  pump();
}

void Lane::site_changed() {
  if (open()) return reopen();
  stop_waiting();
  desk_.changed(*this);
}

void Lane::try_site() {
  if (desk_.misses(*this)) reopen();
}

bool Lane::use_fewer_connections() {
  if (connections_ <= 1) return false;
  ceiling_ = static_cast<std::uint32_t>(connections_ - 1);
  ceiling_since_ = loop_.now();
  return true;
}

std::uint32_t Lane::allowed_connections() const {
  const auto risen = static_cast<std::uint64_t>((loop_.now() - ceiling_since_) / ceiling_rises_after);
  const std::uint64_t most = at_most(smtp::Cap::connections, limits_.connections);
  const std::uint64_t allowed = std::min<std::uint64_t>({most, ramp_, ceiling_ + risen});
  return site_->in_trouble() ? std::min(1U, static_cast<std::uint32_t>(allowed))
                             : static_cast<std::uint32_t>(allowed);
}

// --- who is next ---

// Somebody waits, and neither pace nor quota is against it.
bool Lane::may_take() {
  if (!desk_.waits(*this)) return false;
  if (!open()) {  // a quota that another lane has used up
    await_opening();
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
  const std::uint64_t in_one = at_most(smtp::Cap::recipients_per_message, limits_.recipients_per_message);
  const std::optional<Ticket> ticket =
      desk_.next(*this, std::min<std::uint64_t>({most, in_one, pace_.most(loop_.now()), left}));
  if (!ticket) return ticket;
  site_->claim(*this);
  took_at_ = loop_.now();
  pace_.take(ticket->recipients, loop_.now());
  quota_->take(ticket->recipients);
  if (quota_->left(loop_.wall_now()) > 0) return ticket;
  watch_opening();
  desk_.changed(*this);
  return ticket;
}

// How many recipients more a connection may carry.
std::uint64_t Lane::room_after(std::uint64_t recipients) const {
  constexpr std::uint64_t any = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t configured = limits_.recipients_per_connection;
  const std::uint64_t limit =
      at_most(smtp::Cap::recipients_per_connection, configured == 0 ? any : configured);
  return limit == any ? any : limit - std::min(limit, recipients);
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
         connection.carried >= at_most(smtp::Cap::messages_per_connection, limits_.messages_per_connection) ||
         loop_.now() - connection.opened >= oldest_connection || room_after(connection.recipients) == 0 ||
         (connection.carried >= turn_length && loop_.now() >= connection.turn_until && others_wait());
}

// A message goes to a warm connection if one is idle, else to a new one if there may be more; the rest waits
// in line.
void Lane::pump() {
  while (busy() < allowed_connections() && may_take()) {
    Connection* const warm =
        idle_.empty() ? nullptr : idle_.back();  // the one used last: others may time out
    if (warm && is_worn(*warm)) {                // a cap was learnt meanwhile
      idle_.pop_back();
      show_idle();
      warm->transport->wake();
      continue;
    }
    if (!warm && !has_room()) break;
    if (warm) {  // no other lane gets it meanwhile
      idle_.pop_back();
      show_idle();
    }
    const std::optional<Ticket> ticket = take(room_after(warm ? warm->recipients : 0));
    if (!warm && !ticket) break;
    if (!warm) {
      scope_.spawn(serve(ticket));
      continue;
    }
    if (!ticket) {
      idle_.push_back(warm);
      show_idle();
      break;
    }
    warm->handed = ticket;
    warm->transport->wake();
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

// Whether one that opens is sooner there than those there are, or these are stuck.
bool Lane::pays_to_open() {
  if (connections_ == 0 || site_->opening.pays(desk_.waiting(*this), connections_)) return true;
  const SteadyTime stuck = took_at_ + site_->opening.patience();
  if (stuck <= loop_.now()) return true;
  if (!hurry_.armed()) hurry_.at(stuck, [this] { pump(); });
  return false;
}

// A connection more. A lane that has some leaves room to those that wait.
bool Lane::has_room() {
  if (!pays_to_open()) return false;
  if (site_->has_room() && (connections_ == 0 || !others_wait())) return true;
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
  site->offer_room();
  pump();
}

void Lane::shut_down() {
  stopping_ = true;
  turn_.cancel();
  opening_.cancel();
  hurry_.cancel();
  stop_waiting();
  dismiss_idle();
}

void Lane::abort() {
  const std::set<Connection*> all = all_;
  for (Connection* connection : all)
    if (all_.contains(connection) && connection->transport) connection->transport->abort();
}

}  // namespace relayd::send
