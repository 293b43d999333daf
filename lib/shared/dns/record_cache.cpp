#include "shared/dns/record_cache.hpp"

#include <algorithm>

namespace relayd::dns {

const Told* RecordCache::fresh(const Key& key, SteadyTime now) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && now < found->second.until ? &found->second.told : nullptr;
}

const Told* RecordCache::stale(const Key& key, SteadyTime now) const {
  const auto found = entries_.find(key);
  return found != entries_.end() && now < found->second.until + stale_for ? &found->second.told : nullptr;
}

void RecordCache::keep(const Key& key, Told told, SteadyTime now) {
  if (told.records.empty()) {
    entries_.erase(key);
    return;
  }
  const SteadyTime until = now + std::chrono::seconds(told.ttl);
  entries_.insert_or_assign(key, Entry{std::move(told), until});
  if (entries_.size() > most)
    entries_.erase(
        std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.until; }));
}

}  // namespace relayd::dns
