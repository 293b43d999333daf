// Line: the messages that wait for a lane, with a fair turn for each sender.
//
// Fifth stage of the path; owned by its lane. Start-time fair queueing, counted in recipients: however much
// one sender has waiting, another's next message is no further away than one message of each sender. Messages
// of one sender leave in the order they came. A sender is charged what is sent, and what it was charged
// counts until the others have had as much, also while it has nothing waiting: a message that is sent in
// slices comes back for each of them. A pure value: no clock, no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace relayd::send {

struct Ticket {
  std::uint64_t message = 0;
  std::uint32_t recipients = 1;  // to be sent this time
  bool operator==(const Ticket&) const = default;
};

class Line {
 public:
  void push(std::string_view sender, Ticket ticket);
  // Whose turn it is, to be sent to so many recipients at most; nothing: nobody waits.
  std::optional<Ticket> pop(std::uint64_t most = ~std::uint64_t{0});
  // All of them, in no order; the line is empty then.
  std::list<Ticket> take_all();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Sender {
    std::list<Ticket> tickets;
    std::uint64_t turn = 0;  // recipients served before it, were all senders served evenly
  };
  using Senders = std::unordered_map<std::string, Sender>;

  void queue_up(Senders::iterator sender);
  void forget();

  Senders senders_;  // with something waiting, or ahead of its turn
  std::map<std::pair<std::uint64_t, std::uint64_t>, Senders::iterator> turns_;  // by turn, then by arrival
  std::multimap<std::uint64_t, Senders::iterator> resting_;                     // nothing waits; by turn
  std::uint64_t turn_ = 0;                                                      // that is served
  std::uint64_t arrivals_ = 0;
  std::size_t size_ = 0;
};

}  // namespace relayd::send
