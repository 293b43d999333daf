// Window: how much was used within a span of time that slides with the clock.
//
// Fifth stage of the path; part of a limit, which owns it. Time is cut into slices of 1/48 of the span, and
// a slice counts until all of it is a span ago: it errs by one slice, on the strict side. What lies further
// ahead than a span was counted by a clock that was wrong, and does not count. A pure value: time is an
// argument, from any clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace relayd::send {

class Window {
 public:
  using Time = std::chrono::microseconds;  // since a moment that stays the same
  struct Slice {
    Time begin{};
    std::uint64_t count = 0;
    bool operator==(const Slice&) const = default;
  };

  explicit Window(std::chrono::seconds span);

  void add(std::uint64_t count, Time now);
  // At least what was added within the span before now.
  std::uint64_t used(Time now) const;
  // When the first of it counts no more; nothing: nothing is used.
  std::optional<Time> eases_at(Time now) const;

  Time slice() const { return slice_; }
  // What counts, for add() in another process.
  std::vector<Slice> slices(Time now) const;

 private:
  bool counts(std::int64_t number, Time now) const;
  std::int64_t number_of(Time time) const;

  Time span_;
  Time slice_;
  std::map<std::int64_t, std::uint64_t> used_;  // by the number of the slice
};

}  // namespace relayd::send
