// Tally: what was used of one quota: in the present calendar day or month, in UTC, or in a span that slides.
//
// Fifth stage of the path; part of an Allowance. A pure value: time is an argument.
#pragma once

#include <cstdint>
#include <vector>

#include "send/window.hpp"
#include "shared/base/time.hpp"
#include "shared/config/limit.hpp"

namespace relayd::send {

class Tally {
 public:
  // So many at that time: of a calendar period all at its start, of a span one for each slice of it.
  struct Entry {
    WallTime time{};
    std::uint64_t count = 0;
    bool operator==(const Entry&) const = default;
  };

  explicit Tally(const config::Quota& quota);

  const config::Quota& quota() const { return quota_; }
  // Another limit on the same count: alike(quota, quota()).
  void use(const config::Quota& quota) { quota_ = quota; }

  std::uint64_t used(WallTime now) const;
  void add(std::uint64_t count, WallTime now);
  // When the count begins anew, or the first of it counts no more.
  WallTime eases_at(WallTime now) const;

  // What counts, for restore() in another process.
  std::vector<Entry> entries(WallTime now) const;
  void restore(const Entry& entry);
  // Goes on with what another quota of the same things has counted, as far as that can be told.
  void continue_from(const Tally& other, WallTime now);

 private:
  bool slides() const { return quota_.period == config::Quota::Period::sliding; }
  void spread(std::uint64_t count, WallTime since, WallTime now);
  WallTime start_of(WallTime now) const;
  bool is_over(WallTime now) const;

  config::Quota quota_;
  Window window_;  // of one that slides
  // Of a calendar period.
  std::uint64_t used_ = 0;
  WallTime since_{};  // start of the period that `used_` belongs to
};

}  // namespace relayd::send
