#include "send/allowance.hpp"

#include <algorithm>
#include <limits>

namespace relayd::send {

using config::Counted;
using config::Quota;

namespace {
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
// What is under way may not be sent after all, and is soon known.
constexpr std::chrono::minutes soon{1};
}  // namespace

void Allowance::use(const std::vector<Quota>& quotas, WallTime now) {
  const std::vector<Tally> before = std::exchange(tallies_, {});
  const auto counts = [](const Quota& quota) {
    return [&quota](const Tally& tally) { return alike(tally.quota(), quota); };
  };
  for (const Quota& quota : quotas) {
    const auto same = std::ranges::find_if(before, counts(quota));
    Tally& tally = tallies_.emplace_back(same == before.end() ? Tally(quota) : *same);
    tally.use(quota);
    if (same != before.end()) continue;
    for (const Tally& other : before) tally.continue_from(other, now);
  }
  in_force_ = tallies_.size();
  for (const Tally& old : before)
    if (old.used(now) > 0 && std::ranges::none_of(tallies_, counts(old.quota()))) tallies_.push_back(old);
}

std::uint64_t Allowance::left(const Tally& tally, WallTime now) const {
  const std::uint64_t limit = tally.quota().count;
  const std::uint64_t unused = limit - std::min(limit, tally.used(now));
  return unused - std::min(unused, under_way(tally.quota()));
}

std::uint64_t Allowance::left(WallTime now) const {
  std::uint64_t most = total_ ? total_->left(now) : unlimited;
  for (std::size_t i = 0; i < in_force_; ++i) {
    const std::uint64_t left_of_it = left(tallies_[i], now);
    if (left_of_it == 0) return 0;
    if (tallies_[i].quota().counted == Counted::recipients) most = std::min(most, left_of_it);
  }
  return most;
}

WallTime Allowance::opens_at(WallTime now) const {
  WallTime opens = total_ ? total_->opens_at(now) : now;
  for (std::size_t i = 0; i < in_force_; ++i) {
    const Tally& tally = tallies_[i];
    if (left(tally, now) > 0) continue;
    const bool may_come_back = tally.used(now) < tally.quota().count;
    const WallTime eases = tally.eases_at(now);
    opens = std::max(opens, may_come_back ? std::min<WallTime>(eases, now + soon) : eases);
  }
  return opens;
}

void Allowance::take(std::uint64_t recipients) {
  recipients_ += recipients;
  ++messages_;
  changed_ |= in_force_ > 0;
  if (total_) total_->take(recipients);
}

void Allowance::settle(std::uint64_t taken, std::uint64_t sent, WallTime now) {
  recipients_ -= std::min(recipients_, taken);
  messages_ -= std::min<std::uint64_t>(messages_, 1);
  for (std::size_t i = 0; i < in_force_; ++i) {
    const bool counts_messages = tallies_[i].quota().counted == Counted::messages;
    if (sent > 0) tallies_[i].add(counts_messages ? 1 : sent, now);
  }
  changed_ |= in_force_ > 0;
  if (total_) total_->settle(taken, sent, now);
}

std::vector<Allowance::Standing> Allowance::standings(WallTime now) const {
  std::vector<Standing> standings;
  for (std::size_t i = 0; i < in_force_; ++i)
    standings.push_back({tallies_[i].quota(), left(tallies_[i], now), tallies_[i].eases_at(now)});
  if (!total_) return standings;
  for (Standing standing : total_->standings(now)) {
    standing.total = true;
    standings.push_back(standing);
  }
  return standings;
}

std::vector<Allowance::Record> Allowance::records(WallTime now) const {
  std::vector<Record> records;
  for (std::size_t i = 0; i < tallies_.size(); ++i) {
    Tally tally = tallies_[i];
    if (i < in_force_) tally.add(under_way(tally.quota()), now);
    if (std::vector<Tally::Entry> entries = tally.entries(now); !entries.empty())
      records.push_back({tally.quota(), std::move(entries)});
  }
  return records;
}

void Allowance::restore(const Record& record) {
  const auto same = std::ranges::find_if(
      tallies_, [&record](const Tally& old) { return alike(old.quota(), record.quota); });
  Tally& tally = same == tallies_.end() ? tallies_.emplace_back(record.quota) : *same;
  for (const Tally::Entry& entry : record.entries) tally.restore(entry);
}

}  // namespace relayd::send
