// Dispatcher: takes what is due from the queue to the line of its route, and from there to the lane that
// asks.
//
// Joins queue, route and send, and owns what the way out is made of. The route is that of the present
// configuration at every attempt; see Routing. What comes of an attempt is for its Settlement.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "relay/give_up.hpp"
#include "relay/health.hpp"
#include "relay/lane_commands.hpp"
#include "relay/lanes.hpp"
#include "relay/lifetime.hpp"
#include "relay/lines.hpp"
#include "relay/queue_delivery.hpp"
#include "relay/quota_book.hpp"
#include "relay/routing.hpp"
#include "relay/settlement.hpp"
#include "relay/setup.hpp"
#include "relay/site_book.hpp"
#include "send/lane.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class Dispatcher final : public send::Desk {
 public:
  Dispatcher(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
             const tell::Publisher& publisher, async::Dialer& dialer, queue::Queue& queue,
             const Setup& setup);

  // Reads what quotas are used up and what is known of the upstreams. Blocks: start-up only, once the queue
  // is open. `mark`: of this relay; see instance.hpp.
  void open(std::string mark);
  void use(const Setup& setup);
  // Before the first login with a token.
  void use(Lanes::TokensOf tokens_of) { lanes_.use(std::move(tokens_of)); }

  // Where the queue's on_due leads.
  void dispatch(queue::Shipment& shipment);

  // Ends the pause of every lane that the message may take: it is tried at once.
  void clear_way(const queue::Message& message);
  // See lane_commands.hpp.
  std::vector<std::string> steer(const std::string& upstream, const std::string& account, bool stops) {
    return relayd::steer(lanes_, log_, upstream, account, stops, loop_.wall_now());
  }
  // See give_up.hpp.
  async::Task<std::string> delete_all(queue::MessageId id) { return give_up_.delete_all(id); }
  // See routing.hpp.
  std::vector<watch::RouteSeen> routes_of(const queue::Message& message) const {
    return routing_.routes_of(message);
  }
  std::vector<std::string> upstreams_of(const queue::Message& message) const {
    return routing_.upstreams_of(message);
  }
  const Lanes& lanes() const { return lanes_; }
  const Lines& lines() const { return lines_; }
  std::size_t being_given_up() const { return give_up_.under_way(); }

  void shut_down();
  void abort();
  async::Task<void> drained();

  // send::Desk
  bool waits(const send::Lane& lane) override;
  std::size_t waiting(const send::Lane& lane) override;
  std::optional<send::Ticket> next(send::Lane& lane, std::uint64_t most) override;
  void changed(send::Lane& lane) override;
  bool misses(const send::Lane& lane) override;
  void knocked(send::Lane& lane, const send::Report& report,
               const std::optional<send::Event>& failed) override;
  async::Task<std::unique_ptr<send::Delivery>> load(send::Lane& lane, send::Ticket ticket) override;
  bool holds(const send::Delivery& delivery) override;
  void settle(send::Lane& lane, std::uint64_t message, const send::Delivery& delivery,
              const send::Report& report) override;
  bool concerns_lane(send::Lane& lane, const send::Report& report) override;
  void give_back(std::uint64_t message) override;
  async::Task<void> note_site(send::Lane& lane) override;
  void turned_down(send::Lane& lane, std::uint64_t message) override;

 private:
  std::unique_ptr<QueueDelivery> make_delivery(const LaneEntry& lane, queue::Shipment& shipment,
                                               queue::Content content, std::uint32_t recipients);
  void go(queue::Shipment& shipment, const route::Route& route);
  void found(const Routing::Found& routes);
  async::Task<bool> prepare(const LaneEntry& lane, const route::Route& route, QueueDelivery& delivery);
  void tell_of_changes(const QueueDelivery& delivery, std::string_view upstream,
                       const rewrite::Outgoing& changes);
  void expire(queue::Shipment& shipment);
  void defer_unroutable(queue::Shipment& shipment, const route::Route& route);
  void watch_clock();

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  const tell::Publisher& publisher_;
  queue::Queue& queue_;
  Setup setup_;
  GiveUp give_up_;
  QuotaBook quotas_;
  SiteBook site_book_;
  Health health_;
  Lanes lanes_;
  Lines lines_;
  Lifetime lifetime_;
  Routing routing_;
  Settlement settlement_;
  std::string mark_;
  std::set<std::string> broken_signatures_;             // told already, since the configuration was read
  std::set<const config::SenderRule*> told_of_tables_;  // likewise
  std::set<queue::MessageId> to_clear_;                 // their ways, once they are known
  bool stopping_ = false;
};

}  // namespace relayd
