// Learnt: caps of an upstream that its replies have shown and that are lower than those configured.
//
// Fifth stage of the path; part of a site, for all its accounts. Each holds for a time after it was met last,
// then it is tried whether there may be more: a day where a reply named the number, an hour where it is what
// was taken before. A pure value: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>

#include "shared/base/time.hpp"
#include "shared/smtp/cap.hpp"

namespace relayd::send {

class Learnt {
 public:
  static constexpr Duration named_holds = std::chrono::hours(24);
  static constexpr Duration found_holds = std::chrono::hours(1);

  struct Entry {
    std::uint32_t most = 0;
    SteadyTime until{};
  };

  // It was met now. False: it was known to be so low, or lower.
  bool learn(const smtp::FoundCap& found, SteadyTime now) {
    if (found.cap == smtp::Cap::none || found.most == 0) return false;
    const std::uint64_t before = at_most(found.cap, std::uint64_t{found.most} + 1, now);
    if (before < found.most) return false;  // a lower one still holds
    const SteadyTime until = now + (found.named ? named_holds : found_holds);
    Entry& entry = entries_[found.cap];
    entry = {found.most, before == found.most ? std::max(entry.until, until) : until};
    return found.most < before;
  }
  // What is configured, or less.
  std::uint64_t at_most(smtp::Cap cap, std::uint64_t configured, SteadyTime now) const {
    const auto found = entries_.find(cap);
    const bool holds = found != entries_.end() && now < found->second.until;
    return holds ? std::min<std::uint64_t>(configured, found->second.most) : configured;
  }

  // What was learnt of this cap was wrong: the configured one holds again.
  void forget(smtp::Cap cap) { entries_.erase(cap); }
  // What was learnt before a restart.
  void restore(smtp::Cap cap, Entry entry) { entries_[cap] = entry; }
  // All of them, also those whose time is over.
  const std::map<smtp::Cap, Entry>& entries() const { return entries_; }

 private:
  std::map<smtp::Cap, Entry> entries_;
};

}  // namespace relayd::send
