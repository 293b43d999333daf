// Mover: copies the living messages of a segment elsewhere, so that its file is free again.
//
// Owned by the queue. The keeper copies, into segments of its own: no commit waits for it. A copy counts once
// a summary names it; until then the message is where it was.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "queue/store.hpp"
#include "queue/summaries.hpp"
#include "shared/async/task.hpp"

namespace relayd::queue {

class Mover {
 public:
  Mover(Store& store, Summaries& summaries) : store_(store), summaries_(summaries) {}

  // The segment from which moving gains most; 0: nothing is worth it.
  std::uint64_t choose() const;
  // Moves all that lives there. What is damaged stays, is held and reported. What cannot be read stays as it
  // is: a disk that fails now may well read it when it is due. Throws DiskError when there is no room, or a
  // write failed; what was not moved is where it was. `brief`: as Summaries::write(). Ends early when
  // `has_to_wait` says that something else comes first.
  async::Task<void> empty(std::uint64_t sequence, bool brief, std::function<bool()> has_to_wait);

  // The segment that it writes to; 0: none.
  std::uint64_t target() const { return target_ ? target_->header.sequence : 0; }

 private:
  struct Move {
    MessageId id;
    Position from;
    std::uint32_t length = 0;
    Position to;              // result; segment 0: there is no sound record
    bool unreadable = false;  // the disk failed
    std::string rescued;      // what was there instead
  };

  async::Task<std::vector<Move>> living_in(std::uint64_t sequence);
  void copy(std::vector<Move>& moves);
  void open_target(std::uint64_t least);
  void report(const Move& move);

  Store& store_;
  Summaries& summaries_;
  std::set<std::uint64_t>
      stuck_;  // segments with something that stays: not tried again before the next start

  // The keeper's, while it copies.
  std::shared_ptr<const Segment> target_;
  std::uint32_t end_ = 0;
};

}  // namespace relayd::queue
