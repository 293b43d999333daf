// GiveUp: fails who is still to be sent of a shipment, a few shipments at a time.
//
// Owned by the dispatcher. A lower lifetime, a rule that now rejects, or a clock that was put right can end a
// million messages at the same moment. Whom a message is for is on its disk and must be read; so a few are
// under way, and the others go back to the queue for a moment, each a little later than the one before.
// Nothing is kept of those.
#pragma once

#include <cstddef>
#include <string>

#include "queue/queue.hpp"
#include "relay/setup.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class GiveUp {
 public:
  // `setup` is the dispatcher's; what it says at the moment holds.
  GiveUp(async::Loop& loop, telemetry::Log& log, queue::Queue& queue, const Setup& setup,
         const tell::Publisher& publisher)
      : loop_(loop), log_(log), queue_(queue), setup_(setup), publisher_(publisher) {}

  // Takes a shipment that is ready.
  void take(queue::Shipment& shipment, tell::Ending why, const std::string& reason);

  // By the operator: all of a message, of whom nobody is being sent. Why not; empty: done. Throws QueueError
  // where it cannot be read.
  async::Task<std::string> delete_all(queue::MessageId id);

  std::size_t under_way() const { return scope_.count(); }
  async::Task<void> drained() { return scope_.drained(); }

 private:
  void fail(queue::Shipment& shipment, const mail::Envelope& envelope,
            const std::vector<std::uint32_t>& recipients, tell::Ending why, const std::string& reason);
  async::Task<void> fail_all(queue::ShipmentId id, tell::Ending why, std::string reason);

  async::Loop& loop_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  const Setup& setup_;
  const tell::Publisher& publisher_;
  SteadyTime last_turn_{};  // the latest that was given to a message
  async::Scope scope_;
};

}  // namespace relayd
