#include "relay/dispatcher.hpp"

#include <fmt/format.h>

#include "relay/doubt.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::Shipment;
using queue::ShipmentId;

namespace {

// Who finds that a message has another way looks for it so much later: no turn for each.
constexpr auto rerouted_after = std::chrono::milliseconds(100);

const QueueDelivery& own(const send::Delivery& delivery) {
  return static_cast<const QueueDelivery&>(delivery);  // load() makes no other
}

LaneEntry& entry_of(send::Lane& lane) {
  return static_cast<LaneEntry&>(lane);  // Lanes makes no other
}

const LaneEntry& entry_of(const send::Lane& lane) {
  return static_cast<const LaneEntry&>(lane);
}

}  // namespace

Dispatcher::Dispatcher(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
                       const tell::Publisher& publisher, async::Dialer& dialer, queue::Queue& queue,
                       const Setup& setup)
    : loop_(loop),
      workers_(workers),
      log_(log),
      publisher_(publisher),
      queue_(queue),
      setup_(setup),
      give_up_(loop, log, queue, setup_, publisher),
      quotas_(loop, workers, disk, log),
      site_book_(loop, workers, disk, log),
      health_(loop, log),
      lanes_(loop, workers, log, dialer, quotas_, site_book_, *this),
      lines_(loop, queue, lanes_),
      lifetime_(loop, queue, setup_),
      routing_(loop, workers, log, queue, setup_, [this](const Routing::Found& routes) { found(routes); }),
      settlement_(loop, log, queue, setup_, lifetime_, lanes_, health_, quotas_, publisher) {
  health_.use(setup_.config);
  lanes_.use(setup_.router);
  routing_.renew();
}

void Dispatcher::open(std::string mark) {
  mark_ = std::move(mark);
  quotas_.open();
  site_book_.open();
  lanes_.recall_sites();
}

void Dispatcher::use(const Setup& setup) {
  setup_ = setup;
  health_.use(setup_.config);
  lanes_.use(setup_.router);
  routing_.renew();
  lines_.renew();
  broken_signatures_.clear();
  told_of_tables_.clear();
}

// --- from the queue to a lane ---

void Dispatcher::dispatch(Shipment& shipment) {
  if (stopping_) return queue_.release(shipment, loop_.now() + health_.backoff(1));
  if (lifetime_.is_over(*shipment.message)) return expire(shipment);
  if (const std::optional<route::Route> route = routing_.known(shipment)) return go(shipment, *route);
  routing_.find_out(shipment);
}

void Dispatcher::found(const Routing::Found& routes) {
  const bool clears = !to_clear_.empty() && to_clear_.erase(routes.front().first.message()) > 0;
  for (const auto& [id, route] : routes) {
    Shipment* const shipment = queue_.find(id);
    if (!shipment) continue;
    if (clears) relayd::clear_way(lanes_, route.choices, shipment->message->routing_sender);
    if (shipment->state == queue::MessageState::ready) go(*shipment, route);
  }
}

void Dispatcher::go(Shipment& shipment, const route::Route& route) {
  if (stopping_) return queue_.release(shipment, loop_.now() + health_.backoff(1));
  if (!route.reject.empty())
    return give_up_.take(shipment, tell::Ending::rejected, std::string(route.reject));
  if (route.choices.empty()) return defer_unroutable(shipment, route);
  watch_clock();
  lines_.put(shipment, choices_for(shipment, route.choices), lifetime_.end_of(*shipment.message));
}

void Dispatcher::clear_way(const queue::Message& message) {
  message.for_each_shipment([&](const Shipment& shipment) {
    if (const std::optional<route::Route> route = routing_.known(shipment))
      relayd::clear_way(lanes_, route->choices, message.routing_sender);
    else
      to_clear_.insert(message.id());
  });
}

// When the clock is set, all that waits in a line is looked at again.
void Dispatcher::watch_clock() {
  if (lifetime_.clock_was_set()) lines_.renew();
}

void Dispatcher::defer_unroutable(Shipment& shipment, const route::Route& route) {
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  outcome.next_attempt = outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(
                                            health_.backoff(shipment.attempts + 1U));
  const std::string id = queue::to_string(shipment.id.message());
  const std::string from(shipment.message->routing_sender);
  const std::string reason =
      route.by_table ? setup_.router->trouble_of(from) : "no sender rule matches: add one to `senders:`";
  if (route.by_table && told_of_tables_.insert(route.rule).second) tell::table_trouble(log_, reason);
  queue_.settle(shipment, std::move(outcome));
  publisher_.publish(tell::Handled{tell::Handled::Kind::routeless, id, from, reason});
}

void Dispatcher::expire(Shipment& shipment) {
  give_up_.take(shipment, tell::Ending::expired, expiry_text(setup_.config->queue.lifetime));
}

// --- what lanes ask ---

bool Dispatcher::waits(const send::Lane& lane) {
  return lines_.waits(entry_of(lane));
}

std::size_t Dispatcher::waiting(const send::Lane& lane) {
  return lines_.waiting_now(entry_of(lane));
}

std::optional<send::Ticket> Dispatcher::next(send::Lane& lane, std::uint64_t most) {
  return lines_.next(entry_of(lane), most);
}

void Dispatcher::changed(send::Lane& lane) {
  lines_.changed(entry_of(lane));
}

bool Dispatcher::misses(const send::Lane& lane) {
  return lines_.misses(entry_of(lane));
}

void Dispatcher::knocked(send::Lane& lane, const send::Report& report,
                         const std::optional<send::Event>& failed) {
  watch_clock();
  health_.knocked(entry_of(lane), report, failed);
  site_book_.note(entry_of(lane).site);
}

Task<std::unique_ptr<send::Delivery>> Dispatcher::load(send::Lane& lane, send::Ticket ticket) {
  std::unique_ptr<QueueDelivery> delivery;
  const ShipmentId id = ShipmentId::of(ticket.message);
  Shipment* shipment = queue_.find(id);
  if (!shipment || shipment->state != queue::MessageState::ready) co_return delivery;
  if (lifetime_.is_over(*shipment->message)) {  // in the line of a slow lane
    expire(*shipment);
    co_return delivery;
  }
  try {
    queue::Content content = co_await queue_.read(*shipment);
    route::HeaderValues header = co_await routing_.header_of(content);
    shipment = queue_.find(id);
    const route::Route route = routing_.of(id.message(), content, header, entry_of(lane).id);
    if (!leads_to(route, entry_of(lane).id)) {  // since a reload
      if (shipment && shipment->state == queue::MessageState::ready) {
        shipment->route = 0;
        queue_.release(*shipment, loop_.now() + rerouted_after);
      }
      co_return delivery;
    }
    delivery = make_delivery(entry_of(lane), *shipment, std::move(content), ticket.recipients);
    delivery->routed_by(std::move(header));
    const bool prepared = co_await prepare(entry_of(lane), route, *delivery);
    if (!prepared) {
      delivery = nullptr;
      give_back(id.value);
    }
  } catch (const async::IoError& error) {
    tell::unreadable(log_, queue::to_string(id.message()), error.what());
    delivery = nullptr;
    queue_.release(*shipment, loop_.now() + health_.backoff(shipment->attempts + 1U));
  } catch (const queue::QueueError& error) {
    tell::unreadable(log_, queue::to_string(id.message()), error.what());
    delivery = nullptr;
    shipment = queue_.find(id);  // the queue has put it back, unless another read failed
    if (shipment && shipment->state == queue::MessageState::ready)
      queue_.release(*shipment, loop_.now() + health_.backoff(shipment->attempts + 1U));
  }
  co_return delivery;
}

// What leaves is made from what is stored, by the present configuration. False: that has no such way.
Task<bool> Dispatcher::prepare(const LaneEntry& lane, const route::Route& route, QueueDelivery& delivery) {
  const std::shared_ptr<const WaysOut> ways = setup_.ways_out;
  const std::shared_ptr<const route::Router> router = setup_.router;
  const route::Upstream* const upstream = router->upstream(lane.upstream);
  if (!upstream) co_return false;  // it has gone with a reload
  const rewrite::Way way = ways->of(route.rule, *upstream, mark_);
  const rewrite::Outgoing changes = co_await delivery.prepare(ways, way, loop_.wall_now());
  tell_of_changes(delivery, lane.upstream, changes);
  co_return true;
}

void Dispatcher::tell_of_changes(const QueueDelivery& delivery, std::string_view upstream,
                                 const rewrite::Outgoing& changes) {
  tell_of(log_, delivery.id(), changes.notes, setup_.config->file);
  const std::string& field = changes.broken_signature;
  if (!field.empty() && broken_signatures_.insert(fmt::format("{} {}", upstream, field)).second)
    tell::signature_broken(log_, delivery.id(), upstream, field);
}

std::unique_ptr<QueueDelivery> Dispatcher::make_delivery(const LaneEntry& lane, Shipment& shipment,
                                                         queue::Content content, std::uint32_t recipients) {
  const auto next_attempt = [this, &message = *shipment.message, attempts = shipment.attempts + 1U] {
    const Duration wait = lifetime_.at_most(message, health_.backoff(attempts));
    return loop_.wall_now() + std::chrono::duration_cast<WallTime::duration>(wait);
  };
  return std::make_unique<QueueDelivery>(
      queue_, workers_, shipment, std::move(content),
      QueueDelivery::Terms{lane.upstream, recipients, next_attempt, loop_.now()});
}

// A connection may take minutes to open. Meanwhile a reload may have redirected all mail, and the operator
// may have taken the message.
bool Dispatcher::holds(const send::Delivery& delivery) {
  const QueueDelivery& mine = own(delivery);
  return mine.ways() == setup_.ways_out && queue_.may_leave(mine.shipment());
}

// A 421 may only mean that the connection was idle for too long, or that it has had its share.
bool Dispatcher::concerns_lane(send::Lane& lane, const send::Report& report) {
  const send::Event& event = report.recipients.front().event;
  if (const auto cap = settle::find_cap(report.recipients, entry_of(lane).provider, report.carried))
    health_.learn(entry_of(lane), *cap, event);
  return !event.trouble && event.reply.code == 421 &&
         settle::stops_lane(settle::judge(event, entry_of(lane).provider));
}

// It looks for another way at once.
void Dispatcher::give_back(std::uint64_t id) {
  if (Shipment* shipment = queue_.find(ShipmentId::of(id));
      shipment && shipment->state == queue::MessageState::ready)
    queue_.release(*shipment, loop_.now());
}

Task<void> Dispatcher::note_site(send::Lane& lane) {
  return site_book_.keep(entry_of(lane).site);
}

void Dispatcher::turned_down(send::Lane& lane, std::uint64_t id) {
  const LaneEntry& entry = entry_of(lane);
  tell::pipelining_reduced(log_, {entry.upstream, entry.username},
                           queue::to_string(ShipmentId::of(id).message()));
  site_book_.note_at_once(entry_of(lane).site);
}

void Dispatcher::settle(send::Lane& lane, std::uint64_t id, const send::Delivery& delivery,
                        const send::Report& report) {
  settlement_.settle(entry_of(lane), ShipmentId::of(id), own(delivery), report);
  site_book_.note(entry_of(lane).site);
}

// --- the end ---

void Dispatcher::shut_down() {
  stopping_ = true;
  lines_.shut_down();
  lanes_.for_each([](LaneEntry& entry) { entry.shut_down(); });
}

void Dispatcher::abort() {
  lanes_.for_each([](LaneEntry& entry) { entry.abort(); });
}

Task<void> Dispatcher::drained() {
  std::vector<send::Lane*> lanes;
  lanes_.for_each([&lanes](LaneEntry& entry) { lanes.push_back(&entry); });
  for (send::Lane* lane : lanes) co_await lane->drained();
  co_await routing_.drained();
  co_await give_up_.drained();
  co_await quotas_.flush();
  co_await site_book_.flush();
}

}  // namespace relayd
