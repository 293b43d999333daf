// Health: what a lane and its site do about the answers they get: pause, slow down, try the next port, open
// again.
//
// Beside the settlement, which asks after each message, and the dispatcher, after each knock. Whether an
// answer is about the lane at all is said by settle; nothing here touches a message.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "relay/lanes.hpp"
#include "send/delivery.hpp"
#include "settle/verdict.hpp"
#include "shared/async/loop.hpp"
#include "shared/config/config.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// An event at a lane, and what it means.
struct Trouble {
  const send::Event& event;
  const settle::Verdict& verdict;
  const send::Report& report;
};

class Health {
 public:
  Health(async::Loop& loop, telemetry::Log& log) : loop_(loop), log_(log) {}
  void use(std::shared_ptr<const config::Config> config) { config_ = std::move(config); }

  // The usual delay after so many attempts, with its jitter.
  Duration backoff(std::uint32_t attempts) const;

  // Another port is left to try, beside the one of the report.
  bool has_next_port(const LaneEntry& lane, const send::Report& report) const;
  // A port that cannot be reached, or is silent, is left for the next one. False: there is none, or the
  // trouble is another; the next connection begins with the first port again.
  bool takes_next_port(LaneEntry& lane, const Trouble& trouble);
  // Pauses the lane, or all lanes of its site where the trouble reaches them, for as long as the class or the
  // reply says. With too many connections there is one less, and a pause only where one is left. No effect
  // where it is paused.
  void stop(LaneEntry& lane, const Trouble& trouble);
  // A connection ended on the way. Three in a row pause the lane, as many as there are connections the site;
  // in trouble, one does.
  void ended(LaneEntry& lane, const Trouble& trouble);
  // A cap of its upstream was met; what its site knows of it is told where that is new.
  void learn(LaneEntry& lane, const smtp::FoundCap& found, const send::Event& event);
  // The upstream took a message, refused one for its own sake, or let us in.
  void works(LaneEntry& lane);
  // See send::Desk.
  void knocked(LaneEntry& lane, const send::Report& report, const std::optional<send::Event>& failed);

 private:
  void stop_site(const LaneEntry& lane, const Trouble& trouble);
  void stop_lane(LaneEntry& lane, const Trouble& trouble);
  bool uses_fewer_connections(LaneEntry& lane, const Trouble& trouble);
  bool keeps_rate(LaneEntry& lane, const Trouble& trouble);
  void works(SiteEntry& site);
  Duration pause_of(const send::Breaker& breaker, const settle::Verdict& verdict) const;
  Duration jittered(Duration delay) const;

  async::Loop& loop_;
  telemetry::Log& log_;
  std::shared_ptr<const config::Config> config_;
};

}  // namespace relayd
