// Pace: how fast a lane may send, in recipients: an even spacing instead of bursts.
//
// Fifth stage of the path; owned by its lane. A configured rate holds over every span of time: no window of
// a minute sees more than a minute's worth, and nothing is lost to rounding. When the upstream says that it
// is too fast all the same, the pace halves and comes back by itself, doubling each minute without another
// word. A pure value: time is an argument.
#pragma once

#include <cstdint>

#include "shared/base/time.hpp"

namespace relayd::send {

class Pace {
 public:
  // `spacing`: of two recipients; zero: no limit.
  explicit Pace(Duration spacing = {}) : configured_(spacing) {}

  // Another limit; what was learnt stays.
  void use(Duration spacing) { configured_ = spacing; }

  // When the next message may go: now, or later.
  SteadyTime ready_at(SteadyTime now) const;
  // A message goes, to so many recipients.
  void take(std::uint32_t recipients, SteadyTime now);

  // The upstream finds it too fast.
  void slow_down(SteadyTime now);

  // The present spacing; zero: no limit.
  Duration spacing(SteadyTime now) const;
  bool slowed(SteadyTime now) const { return learnt(now) > configured_; }

 private:
  Duration learnt(SteadyTime now) const;
  Duration seen(SteadyTime now) const;
  double recent(SteadyTime now) const;

  Duration configured_;
  Duration slowed_to_{};  // at slowed_at_; less as time passes
  SteadyTime slowed_at_{};
  SteadyTime next_{};  // when the next recipient is due in an even flow
  // Recipients of late, fading away: what "half as fast" means where no rate is configured.
  double recent_ = 0;
  SteadyTime recent_since_{};
  SteadyTime recent_at_{};
};

}  // namespace relayd::send
