// Penalties: what failed logins cost a client. Pure: time is an argument.
//
// First stage of the path; owned by the relay, one for all listeners, asked by the session at AUTH. What is
// counted is an account from an address: behind a gateway many share theirs, and who guesses must not shut
// his neighbours out. A client is its address, of IPv6 the /64 network; the /48 around it is counted beside
// it. It locks no account: that would let anybody lock out anybody.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::accept {

class Penalties {
 public:
  // Failures within `memory` after which no login counts, until that is over: for an account from an address,
  // and for all accounts from there together but those that have logged in from there of late. A /48 may have
  // more.
  static constexpr unsigned limit = 20;
  static constexpr unsigned limit_beside_success = 200;  // of an account that logs in from there meanwhile
  static constexpr unsigned limit_of_all = 500;
  static constexpr unsigned times_for_a_site = 5;
  static constexpr Duration memory = std::chrono::minutes(10);
  static constexpr Duration trust = std::chrono::hours(24);
  static constexpr std::size_t entries_limit = 100'000;

  // How long after its beginning a login is answered that failed after so many others: one second, then two,
  // four, at most eight.
  static Duration delay(unsigned failures_before);

  // A login failed; its delay. Names that nobody has count like all others.
  Duration failed(std::string_view client, std::string_view account, SteadyTime now);
  // One succeeded: the account's failures from there are forgotten.
  void succeeded(std::string_view client, std::string_view account, SteadyTime now);
  // Somebody has logged in from there of late.
  bool knows(std::string_view client, SteadyTime now) const;
  // Too many have failed of late: the next one must not tell whether it was right.
  bool exhausted(std::string_view client, std::string_view account, SteadyTime now) const;

 private:
  struct Key {
    std::string network;
    std::size_t account;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    unsigned failures = 0;
    SteadyTime since;
  };
  unsigned count(Key key, SteadyTime now);
  unsigned failures(const Key& key, SteadyTime now) const;
  void make_room(SteadyTime now);

  std::map<Key, Entry> entries_;
  bool trusts(const Key& key, SteadyTime now) const;

  std::map<Key, SteadyTime> trusted_;  // who has logged in from where, also who at all, and when last
};

// The client for counting: an IPv6 address stands for its /64, of which one machine has all.
std::string counted_as(std::string_view client);

}  // namespace relayd::accept
