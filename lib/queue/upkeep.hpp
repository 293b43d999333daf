// Upkeep: what the queue does for itself while mail goes on: files are made ahead of need, dead segments are
// free again, checkpoints let old state go, and messages move together.
//
// Owned by the queue, on the loop's thread; what blocks is done by the keeper. One piece of work at a time,
// but for the making of files, which nothing may hold up.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "queue/mover.hpp"
#include "queue/replay.hpp"
#include "queue/store.hpp"
#include "queue/summaries.hpp"
#include "shared/async/scope.hpp"

namespace relayd::queue {

class Upkeep {
 public:
  explicit Upkeep(Store& store);

  // Goes on where the last process left off.
  void begin(Replay& replay);

  // So many octets of messages were taken.
  void taken(std::uint64_t octets);

  // Looks whether there is something to do. After every change.
  void tend();

  // Room in the state log for all that may happen to one more message, of so many octets, until
  // release_room().
  void reserve_room(std::uint64_t octets) { reserved_ += octets; }
  void release_room(std::uint64_t octets) { reserved_ -= octets; }
  // There is so much. Otherwise: returns when there is, or throws QueueError{full} when the disk has none.
  bool has_reserved_room() const { return state_room() >= state_room_needed(); }
  async::Task<void> wait_for_reserved_room();

  // So many octets of what happened to messages were recorded.
  void recorded(std::uint64_t octets) { recorded_ += octets; }

  // The state log is nearly full: what is left of it is for summaries, and for what becomes of messages that
  // are on their way. What need not begin now should wait.
  bool is_short_of_room() const;
  // No file could be made for lack of room: outcomes leave out the texts of replies, summaries the replies.
  bool is_brief() const { return disk_is_full_; }
  // Returns when room is not short any more, or nothing can be done about it.
  async::Task<void> wait_for_room();

  // The log of format 1 says more than the state log does: nothing of it may go, and no checkpoint may be
  // written, until all that lives has a summary.
  bool is_migrating() const { return migrating_; }

  // What the next start has to know. `end`: where the message log ends; `all_known`: every message of it is
  // in the index.
  Checkpoint checkpoint(Position end, bool all_known) const;

 private:
  std::uint64_t state_file() const;
  std::uint64_t state_room() const;
  std::uint64_t state_room_needed() const;
  std::uint64_t state_room_wanted() const;
  std::uint64_t state_room_too_much() const;
  std::uint64_t room_for_what_is_open() const;
  void wake();
  void arm();
  void prepare();
  async::Task<void> make_room();
  async::Task<void> give_room_back();
  async::Task<void> replace_large_files();
  bool has_large_files() const;

  async::Task<void> work();
  bool is_being_written(std::uint64_t sequence) const;
  std::vector<std::uint64_t> dead() const;
  async::Task<void> retire(std::vector<std::uint64_t> sequences);
  async::Task<void> submit(std::string record);
  bool wants_checkpoint() const;
  bool is_log_large() const;
  bool frees_more_than_it_writes() const;
  async::Task<void> take_checkpoint();
  void carry_along();
  async::Task<void> summarise(std::uint64_t before, const std::map<std::uint64_t, std::uint32_t>& covered);
  void free_states_before(std::uint64_t sequence);
  bool wants_to_move() const;
  async::Task<void> move();

  Store& store_;
  Summaries summaries_;
  Mover mover_;

  std::map<std::uint64_t, std::uint32_t> scan_from_;        // of segments of intake
  std::uint64_t last_intake_ = 0;                           // of the start
  std::set<std::uint64_t> torn_;                            // segments of intake, since before that
  std::vector<std::pair<MessageId, std::string>> unknown_;  // records that each checkpoint carries along
  std::uint64_t states_from_ = 0;                           // as the last checkpoint says
  std::uint64_t floor_ = 0;            // state segment at the beginning of the last checkpoint
  std::uint64_t taken_ = 0;            // octets of messages since the start
  SteadyTime taken_at_{};              // the last of them, or the start
  std::uint64_t taken_before_ = 0;     // until the last checkpoint
  std::uint64_t recorded_ = 0;         // octets of facts since the start
  std::uint64_t recorded_before_ = 0;  // until the last checkpoint that renewed summaries
  std::uint64_t ended_in_ = 0;         // state segment at the end of the last checkpoint
  std::uint64_t known_from_ = 0;       // no summary that the last checkpoint counts on is in an older segment
  unsigned without_gain_ = 0;          // checkpoints in a row that made the log no smaller than it was
  std::uint64_t least_capacity_ = 0;   // of the log, since something was recorded
  std::set<std::uint64_t> retiring_;

  std::uint64_t reserved_ = 0;
  bool migrating_ = false;
  bool making_ = false;             // free files are being made or removed
  bool changed_meanwhile_ = false;  // prepare() was called since that began: once more at the end
  bool disk_is_full_ = false;       // making a file failed, and none was made since
  bool working_ = false;
  SteadyTime no_room_until_{};          // making a file failed
  SteadyTime no_move_until_{};          // so did moving
  std::vector<async::Event*> waiting_;  // for room

  async::Timer timer_;
  SteadyTime timer_at_{};
  async::Scope scope_;
};

}  // namespace relayd::queue
