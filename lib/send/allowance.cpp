#include "send/allowance.hpp"

#include <algorithm>
#include <limits>

namespace relayd::send {

using config::Counted;
using config::Quota;
using config::Rate;

namespace {
constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
// What is under way may not be sent after all, and is soon known.
constexpr std::chrono::minutes soon{1};

Quota span_of(const Rate& rate) {
  return {rate.count, Quota::Period::sliding, rate.period, rate.counted};
}

auto counts_as(const Quota& quota) {
  return [&quota](const Tally& tally) { return alike(tally.quota(), quota); };
}

// Goes on with the same one, or with the one that tells most.
Tally tally_after(const std::vector<Tally>& before, const Quota& quota, WallTime now) {
  const auto same = std::ranges::find_if(before, counts_as(quota));
  Tally tally = same == before.end() ? Tally(quota) : *same;
  tally.use(quota);
  if (same != before.end()) return tally;
  for (const Tally& other : before) {
    Tally continued(quota);
    continued.continue_from(other, now);
    if (continued.used(now) > tally.used(now)) tally = std::move(continued);
  }
  return tally;
}
}  // namespace

void Allowance::use(const std::vector<Quota>& quotas, WallTime now, const std::vector<Rate>& rates) {
  const std::vector<Tally> before = std::exchange(tallies_, {});
  for (const Quota& quota : quotas) tallies_.push_back(tally_after(before, quota, now));
  in_force_ = tallies_.size();
  for (const Rate& rate : rates)
    if (const Quota span = span_of(rate);
        span.span >= Quota::shortest_span && std::ranges::none_of(tallies_, counts_as(span)))
      tallies_.push_back(tally_after(before, span, now));
  counted_ = tallies_.size();
  for (const Tally& old : before)
    if (old.used(now) > 0 && std::ranges::none_of(tallies_, counts_as(old.quota()))) tallies_.push_back(old);
}

std::vector<Tally::Entry> Allowance::earlier(const Rate& rate, WallTime now) const {
  const auto same = std::ranges::find_if(tallies_, counts_as(span_of(rate)));
  return same == tallies_.end() ? std::vector<Tally::Entry>() : same->entries(now);
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
  changed_ |= counted_ > 0;
  if (total_) total_->take(recipients);
}

void Allowance::settle(std::uint64_t taken, std::uint64_t sent, WallTime now) {
  recipients_ -= std::min(recipients_, taken);
  messages_ -= std::min<std::uint64_t>(messages_, 1);
  for (std::size_t i = 0; i < counted_; ++i) {
    const bool counts_messages = tallies_[i].quota().counted == Counted::messages;
    if (sent > 0) tallies_[i].add(counts_messages ? 1 : sent, now);
  }
  changed_ |= counted_ > 0;
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
    if (i < counted_) tally.add(under_way(tally.quota()), now);
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
