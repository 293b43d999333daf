#include "queue/mover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "queue/quarantine.hpp"

namespace relayd::queue {
namespace {

// Copied with one sync, and one message more at most: little beside a batch of the message log, so that the
// disk is soon free for others. A small part of a file, too: what a piece leaves unused at the end of one
// would be worth moving again, for ever.
constexpr std::uint64_t piece_bytes = 128 << 10;
constexpr std::uint64_t pieces_per_file = 16;  // at least
constexpr std::size_t piece_count = 500;

// Room that is not worth the trouble, in files of the largest size.
constexpr std::uint64_t slack = 3;

}  // namespace

std::uint64_t Mover::choose() const {
  const std::uint64_t living = store_.index.living_bytes();
  if (store_.messages.capacity() < living + living / 2 + slack * store_.ground.largest()) return 0;
  std::uint64_t best = 0;
  std::uint64_t most = 0;
  for (const std::shared_ptr<const Segment>& segment : store_.messages.all()) {
    const std::uint64_t sequence = segment->header.sequence;
    if (sequence == store_.intake_end.segment || sequence == target() || stuck_.contains(sequence)) continue;
    const auto use = store_.index.segments().find(sequence);
    if (use == store_.index.segments().end() || use->second.count == 0) continue;
    if (sequence > store_.intake_end.segment && segment->header.kind == SegmentKind::intake) continue;
    const std::uint64_t room = segment->capacity - start_of(segment->header);
    const std::uint64_t gain = room - std::min(room, use->second.living);
    if (gain <= most || gain * 4 < room) continue;
    most = gain;
    best = sequence;
  }
  return best;
}

async::Task<void> Mover::empty(std::uint64_t sequence, bool brief, std::function<bool()> has_to_wait) {
  const std::uint64_t piece_limit = std::min(piece_bytes, store_.ground.largest() / pieces_per_file);
  std::vector<Move> all = co_await living_in(sequence);
  for (std::size_t begin = 0; begin < all.size() && !has_to_wait();) {
    std::uint64_t bytes = 0;
    std::vector<Move> piece;
    for (; begin < all.size() && piece.size() < piece_count && bytes < piece_limit; ++begin) {
      bytes += all[begin].length;
      piece.push_back(std::move(all[begin]));
    }
    co_await store_.keeper.run([this, &piece] { copy(piece); });
    std::vector<MessageId> moved;
    for (const Move& move : piece) {
      if (move.to.segment != 0) store_.index.written(move.to.segment, move.length);
      Entry* const entry = store_.index.find(move.id);
      if (!entry || entry->where != move.from) continue;
      if (move.to.segment == 0) {
        stuck_.insert(sequence);
        if (!move.unreadable) report(move);
        continue;
      }
      store_.index.move(*entry, move.to, move.length);
      if (entry->doomed) continue;  // on disk it is gone already
      store_.index.leaving(sequence);
      moved.push_back(move.id);
    }
    co_await summaries_.write(std::move(moved), brief, sequence);
  }
}

async::Task<std::vector<Mover::Move>> Mover::living_in(std::uint64_t sequence) {
  std::vector<Move> found;
  Walk walk;
  bool more = true;
  while (more) {
    more = store_.index.go_on(walk, [&found, sequence](const Entry& entry) {
      if (entry.where.segment == sequence)
        found.push_back({entry.id(), entry.where, entry.length, {}, {}, {}});
    });
    if (more) co_await async::sleep_until(store_.loop, store_.loop.now());
  }
  std::sort(found.begin(), found.end(), [](const Move& a, const Move& b) { return a.from < b.from; });
  co_return found;
}

// On the keeper's thread.
void Mover::copy(std::vector<Move>& moves) {
  std::vector<std::string> records(moves.size());
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    std::optional<std::string> record = read_record(store_.messages, moves[i].from, moves[i].length);
    if (record) {
      records[i] = std::move(*record);
      bytes += records[i].size();
    } else if (const auto segment = store_.messages.find(moves[i].from.segment)) {
      std::uint64_t unreadable = 0;
      moves[i].rescued =
          read_what_can_be_read(*segment->file, moves[i].from.offset, moves[i].length, unreadable);
      // If it can be read by now, nothing is damaged.
      moves[i].unreadable =
          unreadable > 0 || parse_record(moves[i].rescued, segment->header.generation).has_value();
    }
  }
  if (bytes == 0) return;
  if (!target_ || end_ + bytes > target_->capacity) open_target(bytes + segment_start);
  std::vector<std::string_view> pieces;
  std::uint32_t end = end_;
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (records[i].empty()) continue;
    seal(records[i], target_->header.generation, end_);
    moves[i].to = {target_->header.sequence, end};
    pieces.push_back(records[i]);
    end += static_cast<std::uint32_t>(records[i].size());
  }
  try {
    target_->file->write_at(end_, pieces);
    target_->file->sync_data();
  } catch (const disk::DiskError&) {
    // What it holds already is sound, and stays.
    if (end_ == segment_start) {
      store_.messages.remove(target_->header.sequence);
      store_.ground.give_back(Ground::Log::messages, *target_);
    }
    target_.reset();
    throw;
  }
  end_ = end;
}

void Mover::open_target(std::uint64_t least) {
  target_.reset();
  const SegmentHeader header = {++store_.last_message_sequence, random_generation(), 0, 0,
                                SegmentKind::moved};
  target_ = store_.ground.begin_segment(Ground::Log::messages, header, least);
  store_.messages.add(target_);
  end_ = segment_start;
}

void Mover::report(const Move& move) {
  Entry& entry = *store_.index.find(move.id);
  if (!entry.doomed && Index::may_be_held(entry)) {
    Submission fact;
    fact.bytes = encode_event(RecordType::hold, move.id, entry.last, store_.loop.wall_now());
    store_.record(entry, std::move(fact));
    store_.index.hold(entry);
  }
  const std::string name = to_string(move.id) + "-message";
  store_.alarm.say(fmt::format("{} is held: its record is damaged; what is left of it is quarantine/{}",
                               to_string(move.id), name));
  store_.keeper.post([&disk = store_.disk, name, bytes = move.rescued] {
    try {
      set_aside(disk, name, bytes);
    } catch (const disk::DiskError&) {
      // The log has told what matters.
    }
  });
}

}  // namespace relayd::queue
