// Penalties: what failed logins cost a client. Pure: time is an argument.
//
// First stage of the path; owned by the relay, one for all listeners, asked by the session at AUTH. It counts
// the failures of ten minutes, of an account from an address and of all accounts from there together. Beyond
// a limit logins are refused there, right or wrong, until the ten minutes are over. So nobody locks an
// account out elsewhere, nor, behind a gateway, the other accounts there.
//
// An account that has logged in from there within 24 hours is never refused there: a neighbour who guesses
// must not shut it out. A wrong password costs him eight seconds and a connection for as long, so that an
// address has at most connections_per_client guesses in eight seconds.
//
// A client is its address, of IPv6 the /64 network; the /48 around it is counted beside it, and may have
// more.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::accept {

class Penalties {
 public:
  static constexpr unsigned limit = 20;          // of an account
  static constexpr unsigned limit_of_all = 500;  // of all accounts together
  static constexpr unsigned times_for_a_site = 5;
  static constexpr Duration memory = std::chrono::minutes(10);
  static constexpr Duration trust = std::chrono::hours(24);
  static constexpr std::size_t entries_limit = 100'000;

  // How long after its beginning a login is answered that failed after so many others: one second, then two,
  // four, at most eight.
  static Duration delay(unsigned failures_before);

  // A login failed; its delay. Names that nobody has count like all others.
  Duration failed(std::string_view client, std::string_view account, SteadyTime now);
  void succeeded(std::string_view client, std::string_view account, SteadyTime now);
  // Somebody has logged in from there of late.
  bool knows(std::string_view client, SteadyTime now) const;
  // Too many have failed of late: the next one must not tell whether it was right.
  bool exhausted(std::string_view client, std::string_view account, SteadyTime now) const;

 private:
  struct Key {
    enum class Of { everybody, account };
    std::string network;
    Of of = Of::everybody;
    std::size_t account = 0;  // its hash: a name may be long
    auto operator<=>(const Key&) const = default;
  };

  // A number for each key, kept for so long from the time it was set. When there are too many, the oldest
  // goes.
  class Memory {
   public:
    explicit Memory(Duration length) : length_(length) {}
    unsigned find(const Key& key, SteadyTime now) const;  // 0: none
    void set(const Key& key, unsigned number, SteadyTime now);
    // One more; its time is that of the first.
    unsigned count(const Key& key, SteadyTime now);

   private:
    struct Entry {
      Key key;
      unsigned number;
      SteadyTime since;
    };
    Duration length_;
    std::list<Entry> by_age_;
    std::map<Key, std::list<Entry>::iterator> entries_;
  };

  static Key everybody(std::string network);
  static Key one(std::string network, std::string_view account);
  bool too_many(const std::string& network, std::string_view account, unsigned times, SteadyTime now) const;

  Memory failures_{memory};
  Memory logins_{trust};  // 1 for who has logged in from where, also for who at all
};

// The client for counting: an IPv6 address stands for its /64, of which one machine has all.
std::string counted_as(std::string_view client);

}  // namespace relayd::accept
