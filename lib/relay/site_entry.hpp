// SiteEntry: a site, which of its ports is in use, what its servers offer, and why it paused.
//
// Beside the path; owned by Lanes and by the lanes of the upstream. What was learnt of it is kept over
// restarts by the SiteBook.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "route/upstream.hpp"
#include "send/site.hpp"
#include "settle/verdict.hpp"
#include "shared/smtp/capabilities.hpp"

namespace relayd {

// What made it pause the last time.
struct PauseReason {
  settle::ReplyClass reply_class = settle::ReplyClass::none;
  std::string text;
  WallTime since{};  // of the first pause in a row
};

struct SiteEntry final : send::Site {
  // How long a server's offer is believed. Then a message that it could not take is tried again, and fails
  // with the same words if nothing has changed.
  static constexpr Duration offer_holds = std::chrono::hours(1);
  // After so long the first port is tried again, by one connection.
  static constexpr Duration port_holds = std::chrono::hours(1);

  using Site::Site;

  // As the upstream is configured now. What was learnt of other hosts or ports is forgotten.
  void use(const route::Upstream& configured);

  // See Learnt and Site; what is new is kept.
  bool learn(const smtp::FoundCap& found, SteadyTime now);
  void forget(smtp::Cap cap);
  bool use_fewer_connections();

  // For a connection that is made now: its index in `ports`.
  std::size_t take_endpoint(SteadyTime now);
  // The one in use could not be reached: the next one is used from now on. False: there is none.
  bool leave_endpoint(SteadyTime now);
  // A connection was greeted there, with such an offer.
  void greeted(std::size_t at, const smtp::Capabilities& offer, SteadyTime now);
  // What its servers offer; null: not known.
  const smtp::Capabilities* offer(SteadyTime now) const {
    return offered && now - offered_at < offer_holds ? &*offered : nullptr;
  }
  // Whether anything was learnt since this was asked last.
  bool take_changed() { return std::exchange(changed, false) | ahead.take_changed(); }

  std::string upstream;
  std::string where;  // "smtp.example.net 587 starttls 465 implicit": what was learnt is of that
  std::vector<std::uint16_t> ports;           // none: a sandbox
  std::size_t endpoint = 0;                   // which port of the ladder works
  SteadyTime left_at{};                       // when the ports before it were found not to
  std::optional<smtp::Capabilities> offered;  // by the latest connection, or one of the last ten minutes
  SteadyTime offered_at{};
  bool changed = false;
  unsigned ends = 0;       // as of a lane, of all its lanes together
  SteadyTime worked_at{};  // the last time that it showed nothing wrong with itself
  PauseReason pause_reason;
};

}  // namespace relayd
