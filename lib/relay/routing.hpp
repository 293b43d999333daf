// Routing: the route of each shipment, by the present configuration.
//
// Beside the dispatcher, which owns it. Where the sender alone decides, the route is known at once. Else the
// message is read, its shipment is parted into one for each route, and which one that is stays in memory
// until the configuration changes. Nothing of it is on disk: a start finds it out again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "queue/queue.hpp"
#include "relay/setup.hpp"
#include "route/router.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "shared/mail/envelope.hpp"
#include "shared/telemetry/log.hpp"
#include "watch/listing.hpp"

namespace relayd {

// What routing asks of a message, and what of each of its recipients. The envelope and the header outlive it.
class Routed {
 public:
  // `number`: of the message; `header`: null, it is not known.
  explicit Routed(const mail::Envelope& envelope, std::uint64_t number = 0,
                  const route::HeaderValues* header = nullptr);
  Routed(const Routed&) = delete;
  Routed& operator=(const Routed&) = delete;

  route::Mail to(std::string_view recipient) const;
  // To whom is not known yet.
  const route::Mail& mail() const { return mail_; }

 private:
  route::Client client_;
  route::Mail mail_;
};

// One of its choices has that id.
bool leads_to(const route::Route& route, std::string_view choice);

class Routing {
 public:
  // Ready shipments of one message, each with its route.
  using Found = std::vector<std::pair<queue::ShipmentId, route::Route>>;

  // `setup` is the dispatcher's; what it says at the moment holds. `found` is called on the loop, with what
  // find_out() was asked for; those of a message that cannot be read are not handed on.
  Routing(async::Loop& loop, async::Workers& workers, telemetry::Log& log, queue::Queue& queue,
          const Setup& setup, std::function<void(const Found&)> found)
      : loop_(loop), workers_(workers), log_(log), queue_(queue), setup_(setup), found_(std::move(found)) {}

  // The setup is another.
  void renew();

  // Nothing: the message would have to be read.
  std::optional<route::Route> known(const queue::Shipment& shipment) const;
  // Of a ready shipment.
  void find_out(queue::Shipment& shipment);

  // For the lane of a choice, by its id: the route of the first recipient whose mail may leave there. Others,
  // who have another since a moment ago, are taken out. Where nobody's may any more it is the first one's.
  // `header`: what rules ask of it, for the attempt.
  route::Route of(queue::MessageId id, queue::Content& content, const route::HeaderValues& header,
                  std::string_view choice) const;
  // What rules ask of the header. Throws QueueError where a large message cannot be read.
  async::Task<route::HeaderValues> header_of(const queue::Content& content) const;

  // The upstreams that the message may go to, those first that are next; as far as they are known.
  std::vector<std::string> upstreams_of(const queue::Message& message) const;
  // The same with the accounts there, and the rules that say so.
  std::vector<watch::RouteSeen> routes_of(const queue::Message& message) const;

  async::Task<void> drained() { co_await scope_.drained(); }

 private:
  struct Way {
    route::Route route;
    std::size_t step;  // which upstream is next
    std::span<const route::Choice> rest() const {
      return route.choices.subspan(step < route.choices.size() ? step : 0);
    }
  };
  std::vector<Way> ways_of(const queue::Message& message) const;

  struct Group {
    route::Route route;
    std::vector<std::uint32_t> recipients;
  };

  async::Task<void> read(queue::ShipmentId id);
  std::vector<Group> groups_of(const Routed& message, const mail::Envelope& envelope,
                               const std::vector<std::uint32_t>& recipients) const;
  Found part(queue::Shipment& shipment, std::vector<Group> groups);
  void note(queue::Shipment& shipment, const route::Route& route);

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  const Setup& setup_;
  std::function<void(const Found&)> found_;
  std::uint32_t before_ = 0;          // Shipment::route: behind it, 1 + the way; never used twice
  std::vector<route::Route> by_way_;  // of the present router, as far as they were met
  SteadyTime last_turn_{};
  async::Scope scope_;
};

}  // namespace relayd
