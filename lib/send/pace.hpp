// Pace: how fast a lane may send: an even spacing instead of bursts.
//
// Fifth stage of the path; owned by its lane. Recipients and messages each flow at a pace of their own. Of
// several rates that count the same, the one of the shortest time is the spacing, which holds over every span
// of time; the others are bounds of what goes within theirs. Nothing is lost to rounding. When the upstream
// says that it is too fast all the same, the pace halves, in whichever it counts, and comes back by itself,
// doubling each minute without another word; where it names a rate, that one is kept for a day. A pure value:
// time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "send/window.hpp"
#include "shared/base/time.hpp"
#include "shared/config/limit.hpp"

namespace relayd::send {

class Pace {
 public:
  // No rates: no limit.
  explicit Pace(std::vector<config::Rate> rates = {}) { use(std::move(rates)); }

  // Other rates; what was learnt stays, and what went within the time of a rate that stays.
  void use(std::vector<config::Rate> rates);
  // So many went at a time before this process began: they count within the time of the rate.
  struct Earlier {
    SteadyTime when{};
    std::uint64_t count = 0;
  };
  void recall(const config::Rate& rate, const std::vector<Earlier>& earlier, SteadyTime now);
  const std::vector<config::Rate>& rates() const { return rates_; }

  // When the next message may go: now, or later.
  SteadyTime ready_at(SteadyTime now) const;
  // To how many recipients it may go then, at most.
  std::uint64_t most(SteadyTime now) const;
  // What the rates let go at this moment, of whichever they count: 0 until ready_at(), else what the tightest
  // bound leaves, or 1 where an even spacing is all there is. Nothing: no limit.
  std::optional<std::uint64_t> left(SteadyTime now) const;
  // A message goes, to so many recipients.
  void take(std::uint32_t recipients, SteadyTime now);

  // The upstream finds it too fast.
  void slow_down(SteadyTime now);
  // It has named the rate that it takes: that holds beside those configured, for a day. False: it is kept
  // already, or cannot be true.
  bool learn(const config::Rate& rate, SteadyTime now);
  struct Learnt {
    config::Rate rate;
    SteadyTime until{};
  };
  // Also those whose time is over.
  const std::vector<Learnt>& learnt() const { return learnt_; }

  // The present spacing of two recipients, or two messages; zero: no limit.
  Duration spacing(config::Counted counted, SteadyTime now) const { return flow(counted).spacing(now); }
  bool slowed(SteadyTime now) const;

 private:
  // Of recipients, or of messages.
  class Flow {
   public:
    void use(Duration spacing) { configured_ = spacing; }
    SteadyTime ready_at(SteadyTime now) const;
    void take(std::uint32_t count, SteadyTime now);
    void slow_down(SteadyTime now);
    Duration spacing(SteadyTime now) const;
    bool slowed(SteadyTime now) const { return learnt(now) > configured_; }
    // What went in the last seconds, fading away.
    double recent(SteadyTime now) const;

   private:
    Duration learnt(SteadyTime now) const;
    Duration seen(SteadyTime now) const;

    Duration configured_{};
    Duration slowed_to_{};  // at slowed_at_; less as time passes
    SteadyTime slowed_at_{};
    SteadyTime next_{};  // when the next one is due in an even flow
    // What went of late, fading away: what "half as fast" means where no rate is configured.
    double recent_ = 0;
    SteadyTime recent_since_{};
    SteadyTime recent_at_{};
  };
  // What goes within the time of a rate that is not the spacing, or within that of the spacing while what
  // went before this process began still counts.
  struct Bound {
    config::Rate rate;
    Window window;
    std::optional<SteadyTime> until = {};  // of the spacing
    std::uint64_t left(SteadyTime now) const;
  };

  const Flow& flow(config::Counted counted) const {
    return counted == config::Counted::messages ? messages_ : recipients_;
  }

  void apply();

  std::vector<config::Rate> rates_;
  std::vector<Learnt> learnt_;  // one for each time and what is counted
  Flow recipients_;
  Flow messages_;
  std::vector<Bound> bounds_;
};

}  // namespace relayd::send
