// Line: the messages that wait for a connection, with a fair turn for each sender.
//
// Fifth stage of the path; owned by the relay, one for each route in use. Start-time fair queueing, counted
// in recipients: however much one sender has waiting, another's next message is no further away than one
// message of each sender. Messages of one sender leave by age, the id's order, where keeping it moves few of
// them. A sender is charged the recipients that are sent. The charge stays until the others have had as much,
// also while the sender has nothing in line: a message sent in parts comes back for each part. Whether a
// message is still to be sent, and to how many, is asked when its turn has come. A pure value: no clock, no
// I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace relayd::send {

struct Ticket {
  std::uint64_t message = 0;     // the desk's id of it
  std::uint32_t recipients = 1;  // to be sent this time
  bool operator==(const Ticket&) const = default;
};

class Line {
 public:
  // How many recipients a message is to be sent to; 0: it does not wait here any more.
  using Ask = std::function<std::uint32_t(std::uint64_t message)>;

  void push(std::string_view sender, std::uint64_t message);
  // Drops those that have gone, as far as the first that still waits. False: nobody waits.
  bool somebody_waits(const Ask& ask);
  // Whose turn it is, to be sent to so many recipients at most; nothing: nobody waits. Those that `ask` knows
  // not to wait leave the line; after some hundreds of them it ends with nothing, too, and is to be called
  // again.
  std::optional<Ticket> pop(std::uint64_t most, const Ask& ask);
  // All of them, in no order; the line is empty then.
  std::vector<std::uint64_t> take_all();

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  struct Sender {
    std::vector<std::uint64_t> messages;
    std::size_t first = 0;   // of those that wait
    std::uint64_t turn = 0;  // recipients served before it, were all senders served evenly

    bool waits() const { return first < messages.size(); }
    void add(std::uint64_t message);
    std::uint64_t take();
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
