// Quota: how many recipients an account may still send to before its day or month is over.
//
// Fifth stage of the path. Shared by the lane that spends it and by the relay, which keeps it over restarts.
// Periods are calendar days and months in UTC. A pure value: time is an argument.
#pragma once

#include <cstdint>

#include "shared/base/time.hpp"

namespace relayd::send {

class Quota {
 public:
  enum class Period { day, month };
  static constexpr std::chrono::days longest_period{31};

  // A limit of 0: none, everything is allowed and nothing counted. What was used so far stays.
  void use(std::uint64_t limit, Period period);
  // What an earlier process had used since `since`; forgotten when that period is over.
  void restore(std::uint64_t used, WallTime since);

  // How many recipients may still be sent to.
  std::uint64_t left(WallTime now) const;
  // When the count begins anew.
  WallTime resets_at(WallTime now) const;

  void take(std::uint64_t recipients, WallTime now);
  // They were not sent after all.
  void give_back(std::uint64_t recipients);

  bool limited() const { return limit_ != 0; }
  std::uint64_t limit() const { return limit_; }
  std::uint64_t used(WallTime now) const;
  // What restore() takes: the count, and the start of the period it belongs to.
  std::uint64_t counted() const { return used_; }
  WallTime since() const { return since_; }

 private:
  WallTime start_of(WallTime now) const;
  bool is_over(WallTime now) const;

  std::uint64_t limit_ = 0;
  Period period_ = Period::day;
  std::uint64_t used_ = 0;
  WallTime since_{};  // start of the period that `used_` belongs to
};

}  // namespace relayd::send
