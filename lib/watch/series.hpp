// Series: what has become of mail, step by step, over the last hour and the last day, for whoever draws it.
//
// Beside the path; owned by the relay, which has it take what tell::Metrics has counted: a point is what was
// added since the one before it, so nothing is counted twice. In memory alone, about 25 KiB; it begins with
// the relay. Pure: its caller has the clocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "shared/base/time.hpp"
#include "tell/metrics.hpp"

namespace relayd::watch {

class Series {
 public:
  struct Point {
    std::uint64_t accepted = 0;
    std::uint64_t delivered = 0;
    std::uint64_t deferred = 0;
    std::uint64_t failed = 0;
    std::uint64_t waiting = 0;  // at its end
    double seconds = 0;         // of those delivered, all together
  };
  using Points = std::deque<Point>;  // oldest first

  static constexpr Duration short_step = std::chrono::seconds(15), long_step = std::chrono::minutes(5);
  static constexpr std::size_t of_an_hour = 240, of_a_day = 288;

  // The first step begins. `counted` is of before.
  void begin(SteadyTime now, const tell::Sums& counted);

  // What has been counted by now belongs to the step that is open, which ends with this call where its time
  // is over. After a call that is late, the steps between have nothing in them. `waiting`: messages in the
  // queue that are to be sent.
  void tick(SteadyTime now, const tell::Sums& counted, std::size_t waiting);
  // When tick() is due.
  SteadyTime next() const { return end_ + short_step; }

  // Points since the beginning, so that who has seen one knows whether there are others.
  std::uint64_t count() const { return count_; }
  // The last one, an object in JSON of the names below; empty: there is none yet.
  std::string newest() const;
  // {"hour": {"step": 15, "end": ISO 8601, "accepted": [...], "delivered", "deferred", "failed", "waiting",
  // "seconds"}, "day": {"step": 300, the same}}, oldest first. `seconds` is the mean time in the queue of
  // what was delivered in a step, or null. The times are those of the wall clock as it is now, however it was
  // before.
  std::string to_json(SteadyTime now, WallTime wall) const;

 private:
  void end_step(std::size_t waiting);

  SteadyTime end_{};  // of the newest point
  tell::Sums counted_;
  Point open_, open_long_;
  std::uint64_t count_ = 0;
  Points hour_, day_;
};

}  // namespace relayd::watch
