// RecordCache: what DNS said of names, for as long as it said it may be kept, and a while longer for the time
// when DNS says nothing (RFC 8767).
//
// Owned by net::ServerFinder. A pure value, of bounded size: time is an argument.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "shared/base/time.hpp"
#include "shared/dns/message.hpp"

namespace relayd::dns {

class RecordCache {
 public:
  using Key = std::pair<RecordType, std::string>;  // the name in lower case

  static constexpr std::size_t most = 1000;
  // So long after its time a record still counts where DNS gives no answer (RFC 8767 4).
  static constexpr Duration stale_for = std::chrono::hours(24);

  // Null: there is none whose time is not over.
  const Told* fresh(const Key& key, SteadyTime now) const;
  // Null: there is none, or it is too old.
  const Told* stale(const Key& key, SteadyTime now) const;
  // Keeps an answer that has records; one that has none ends what was known.
  void keep(const Key& key, Told told, SteadyTime now);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Told told;
    SteadyTime until;  // of its time
  };
  std::map<Key, Entry> entries_;
};

}  // namespace relayd::dns
