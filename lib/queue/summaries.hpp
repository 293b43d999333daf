// Summaries: writes all that is known of a message anew at the head of the state log, so that the records
// before it, or the place where it stood, may go.
//
// Owned by the queue, on the loop's thread. The replies there were are read back by the keeper.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "queue/store.hpp"
#include "shared/async/task.hpp"

namespace relayd::queue {

class Summaries {
 public:
  explicit Summaries(Store& store) : store_(store) {}

  // Of each message that is still there; all of them are durable when it returns. Each leaves the message
  // segment `releases` then (0: none), as Index::leaving() has counted before. `brief`: without the replies
  // there were, as there is no room for them.
  async::Task<void> write(std::vector<MessageId> ids, bool brief, std::uint64_t releases = 0);

  // Octets of a summary in the mean, of those written since the start; 0: there was none.
  std::uint64_t mean_size() const { return octets_ / std::max<std::uint64_t>(written_, 1); }

  // What a queue of format 1 knew of replies. Each is used once.
  void inherit(std::unordered_map<std::uint64_t, Outcome> replies) { inherited_ = std::move(replies); }

 private:
  struct Order {
    MessageId id;
    Position last;  // where its history begins
    std::size_t recipients = 0;
    std::optional<Outcome> replies;  // result
  };

  void submit(Entry& entry, std::optional<Outcome> replies, bool brief, std::uint64_t releases);

  Store& store_;
  std::unordered_map<std::uint64_t, Outcome> inherited_;
  std::uint64_t written_ = 0;
  std::uint64_t octets_ = 0;
};

}  // namespace relayd::queue
