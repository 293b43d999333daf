// Replay: a start reads the state log from its oldest segment to its newest, then of the message log what no
// summary tells of, and builds the index.
//
// Blocks; called once, by whoever may block, while nothing else of the queue is used. It writes no
// log. What is damaged goes to quarantine/ and is named; what was never durable is passed over: FORMAT.md
// says how the two are told apart. Bodies that no message names, and free files of format 1, are removed;
// what is believed is synced first. Its parts: replay_files.cpp, replay.cpp, replay_damage.cpp,
// replay_format_1.cpp, replay_end.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "queue/ground.hpp"
#include "queue/index.hpp"
#include "queue/journal.hpp"
#include "queue/queue.hpp"
#include "queue/segment.hpp"
#include "queue/suspects.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

class Replay {
 public:
  // What it reads into.
  struct Parts {
    disk::Disk& disk;
    Ground& ground;
    Index& index;
    SegmentTable& messages;
    SegmentTable& states;
  };
  using OnProgress = std::function<void(const Progress&)>;

  Replay(Parts parts, Duration keep_failed, Clock clock, OnProgress on_progress = {});

  // Throws QueueError{broken} for a queue of a newer version, and DiskError.
  void run();
  // Goes on in a fresh segment, unless the last one may be gone on with. Behind a tear its header tells a
  // hole that never was durable from damage; behind format 1 it is what a relayd that knows no other refuses.
  // Throws DiskError.
  void begin_segment(Ground::Log log);

  // --- what it found ---
  JournalStart messages_start = {};
  JournalStart states_start = {};
  std::uint64_t last_message_sequence = 0;
  std::uint64_t last_intake_sequence = 0;
  std::uint64_t last_state_sequence = 0;
  std::uint64_t states_from = 0;  // what the newest checkpoint says
  MessageId last_id;
  std::map<std::uint64_t, std::uint32_t> scanned_from;   // of segments of intake: what before has summaries
  std::unordered_map<std::uint64_t, Outcome> inherited;  // replies that a queue of format 1 knew, by message
  std::set<std::uint64_t> torn;  // segments of intake with holes that never were durable
  // Records of a later version's types in the state log, each once: checkpoints have copied them.
  std::vector<std::pair<MessageId, std::string>> unknown;
  std::vector<std::string> set_aside;  // a line each
  std::uint64_t read = 0;
  std::size_t segments = 0;
  std::vector<MessageId> in_doubt;
  // Reports that were written, and by their records for what.
  std::vector<std::pair<MessageId, mail::ReportOf>> reports;
  bool migrating = false;  // what format 1 left is in no checkpoint yet

 private:
  // A file of a log that has a header.
  struct Found {
    std::shared_ptr<const Segment> segment;
    std::uint64_t size = 0;
    std::uint64_t end = 0;  // what is durable ends here; 0: not known
    bool torn = false;      // there are holes before that which never were durable
    bool newest = false;    // it was being written when the last process ended
    bool is_void = false;   // never came into use, or means nothing any more
  };
  // What the bytes of a segment said.
  struct Extent {
    std::uint32_t end = 0;  // of the last sound record, or of what hides those behind it
    bool torn = false;      // something before it is not sound, and never was durable
    bool hidden = false;    // what stands last cannot be read
    bool goes_on(const Found& found) const { return !torn && !hidden && end < found.size; }
  };
  using Visit = std::function<void(const Record&, Position)>;
  // A fact about a message that is not read yet.
  struct Late {
    Position where;
    RecordType type;
    std::uint8_t flags;
    std::string payload;
  };

  void refuse_newer(Ground::Log log) const;
  void find(Ground::Log log, std::vector<Found>& found);
  void find_file(Ground::Log log, const std::string& name, std::vector<Found>& found);
  void bound(std::vector<Found>& found, SegmentKind kind, SegmentKind older);
  Extent read_segment(const Found& found, std::uint32_t from, std::uint64_t proven, const Visit& visit);
  std::optional<std::string> mend(std::string_view bytes, Position where, const Segment& segment);
  std::uint64_t reach(const Segment& segment, std::uint64_t from, std::uint64_t size) const;
  bool was_durable(std::string_view bytes, std::size_t hole, std::size_t from,
                   std::uint64_t generation) const;
  static std::uint64_t hidden_until(const Segment& segment, std::string_view bytes, std::uint64_t at);
  void damaged(std::string_view bytes, Position where, const Segment& segment, std::uint64_t unreadable);
  void note(std::string line);

  void read_legacy();
  void apply_legacy(const Record& record, Position where);
  void find_checkpoint();
  void read_states();
  void read_messages();
  void tell_missing();
  void read_tail(const Found& found, const SegmentRow* row);
  void read_moved(const Found& found);
  bool is_dead(std::uint64_t sequence) const;

  void carry(const Record& record);
  static void pass_over(const Record& record, Ground::Log log);
  void apply_state(const Record& record, Position where);
  void apply_fact(const Record& record, Position where);
  bool apply_event(Entry& entry, RecordType type, const StoredEvent& event);
  void apply_not_taken(Entry& entry, const StoredEvent& event, Clock then);
  void apply_checkpoint(const Record& record, Position where);
  void apply_retired(const std::vector<RetiredRow>& rows);
  Entry* add_message(const Record& record, Position where);
  void bring_back(const SegmentRow& row);
  bool hold_missing(const SegmentRow& row, const std::function<bool(MessageId)>& is_wanted);
  bool hold_unknown(const Record& record, Position where);
  const Found* message_segment(std::uint64_t sequence) const;
  const SegmentRow* row_of(std::uint64_t sequence) const;  // of the checkpoint

  void settle_sites();
  void settle_entries();
  void settle_extents();
  void settle_large();
  void tell();

  const Parts parts_;
  const Duration keep_failed_;
  const Clock clock_;
  const OnProgress on_progress_;

  std::vector<Found> messages_;                                // ascending
  std::vector<Found> states_;                                  // ascending
  std::vector<std::pair<std::uint64_t, Site>> free_states_;    // by sequence: they go back in their order
  std::optional<Checkpoint> checkpoint_;                       // the newest that is sound
  Position newest_checkpoint_;                                 // where it stands; segment 0: there is none
  bool migrated_ = false;                                      // format 1 has been left behind
  bool only_looking_ = false;                                  // what is damaged is not told yet
  std::set<std::uint64_t> retired_;                            // since then
  std::unordered_map<std::uint64_t, std::vector<Late>> late_;  // facts about messages that are not read yet
  std::unordered_set<std::uint64_t> dead_;                     // messages that ended
  std::unordered_set<std::uint64_t> incomplete_;  // messages that have lost a record since their summary
  Suspects suspects_;
  bool states_lost_ = false;      // a file of the state log cannot be told apart
  bool damage_ = false;           // something was damaged
  bool lost_checkpoint_ = false;  // damage behind the newest sound checkpoint may have been a newer one
  unsigned failed_mends_ = 0;     // damage of more than one octet; twice where find_checkpoint() met it, too
  std::string buffer_;            // for the bytes of a segment
  std::uint64_t total_ = 0;       // octets that have to be read
  std::uint64_t told_ = 0;
};

}  // namespace relayd::queue
