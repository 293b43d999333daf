// Allowance: what an account may still send before a quota of it is used up, and what all accounts of its
// upstream may together.
//
// Fifth stage of the path. Shared by the lanes that spend it and by the relay, which keeps it over restarts.
// A message under way counts until its outcome is known, then as sent at that moment, so that no span sees
// more than was allowed, whenever in between the upstream has counted it. A pure value: time is an argument.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "send/tally.hpp"

namespace relayd::send {

class Allowance {
 public:
  // How a quota stands, for the operator.
  struct Standing {
    config::Quota quota;
    std::uint64_t left = 0;
    WallTime eases_at{};
    bool total = false;  // of all accounts of the upstream
  };
  // What a quota has counted, for restore() in another process.
  struct Record {
    config::Quota quota;
    std::vector<Tally::Entry> entries;
  };

  // The quotas from now on; none: everything is allowed. What was used so far stays. Rates are kept by a
  // Pace; what goes within a minute or an hour is counted here as well, so that it is known over restarts.
  void use(const std::vector<config::Quota>& quotas, WallTime now,
           const std::vector<config::Rate>& rates = {});
  // The allowance of the upstream, which all its accounts spend.
  void share(std::shared_ptr<Allowance> total) { total_ = std::move(total); }

  // Whether anything is counted.
  bool counts() const { return counted_ > 0 || (total_ && total_->counts()); }
  // How many recipients a message that goes now may have; 0: none may go.
  std::uint64_t left(WallTime now) const;
  // When one may go again; now: it may.
  WallTime opens_at(WallTime now) const;

  // A message is under way, to so many recipients.
  void take(std::uint64_t recipients);
  // It was sent to so many of them; if to none, it does not count as a message either.
  void settle(std::uint64_t taken, std::uint64_t sent, WallTime now);

  std::vector<Standing> standings(WallTime now) const;
  // What went within the time of a rate, also in an earlier process.
  std::vector<Tally::Entry> earlier(const config::Rate& rate, WallTime now) const;

  // What is under way counts as sent now.
  std::vector<Record> records(WallTime now) const;
  void restore(const Record& record);
  // Whether anything was used since this was asked last.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  std::uint64_t under_way(const config::Quota& quota) const {
    return quota.counted == config::Counted::messages ? messages_ : recipients_;
  }
  std::uint64_t left(const Tally& tally, WallTime now) const;

  std::vector<Tally> tallies_;  // of the quotas, then of the rates, then what is left of others
  std::size_t in_force_ = 0;    // quotas
  std::size_t counted_ = 0;     // quotas and rates
  std::shared_ptr<Allowance> total_;
  // Under way.
  std::uint64_t recipients_ = 0;
  std::uint64_t messages_ = 0;
  bool changed_ = false;
};

}  // namespace relayd::send
