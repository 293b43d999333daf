// Settlement: applies what settle has decided about an attempt: to the queue, to the lane, and by telling it.
//
// Joins send's report, settle, queue and tell. Owned by the dispatcher, which hands it the report of each
// message. It decides nothing itself; how long a lane pauses is for Health.
#pragma once

#include "queue/queue.hpp"
#include "relay/health.hpp"
#include "relay/lanes.hpp"
#include "relay/lifetime.hpp"
#include "relay/queue_delivery.hpp"
#include "relay/quota_book.hpp"
#include "relay/setup.hpp"
#include "settle/decision.hpp"
#include "shared/async/loop.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class Settlement {
 public:
  Settlement(async::Loop& loop, telemetry::Log& log, queue::Queue& queue, const Setup& setup,
             const Lifetime& lifetime, const Lanes& lanes, Health& health, QuotaBook& quotas,
             const tell::Publisher& publisher)
      : loop_(loop),
        log_(log),
        queue_(queue),
        setup_(setup),
        lifetime_(lifetime),
        lanes_(lanes),
        health_(health),
        quotas_(quotas),
        publisher_(publisher) {}

  // The attempt is over. Does nothing where the shipment is gone.
  void settle(LaneEntry& lane, queue::ShipmentId id, const QueueDelivery& delivery,
              const send::Report& report);

 private:
  struct Attempt;
  // Where an event stands.
  struct Place {
    WallTime when;
    Duration age;  // of its message
    bool leads;    // it tells of its whole attempt
  };

  route::Route route_of(const QueueDelivery& delivery, std::uint32_t recipient) const;
  settle::Decision decide(const Attempt& attempt) const;
  static std::vector<send::RecipientEvent> add_united(const Attempt& attempt, settle::Decision& decision);
  bool another_may_take(const Attempt& attempt) const;
  void record(const Attempt& attempt, settle::Decision& decision, WallTime now);
  void tell(const Attempt& attempt, const send::RecipientEvent& entry,
            const settle::RecipientDecision& recipient, Place place);
  void hear_farewell(LaneEntry& lane, const send::Report& report);
  void treat(const Attempt& attempt, const settle::Decision& decision);

  async::Loop& loop_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  const Setup& setup_;
  const Lifetime& lifetime_;
  const Lanes& lanes_;
  Health& health_;
  QuotaBook& quotas_;
  const tell::Publisher& publisher_;
};

}  // namespace relayd
