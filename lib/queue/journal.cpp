#include "queue/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <iterator>
#include <string_view>
#include <utility>

namespace relayd::queue {
namespace {

using std::chrono::steady_clock;

// One sync: enough to make it cheap for each, little enough that the next messages come in meanwhile and that
// the first does not wait for long. The count stays below the kernel's limit of pieces a write.
constexpr std::uint64_t batch_bytes = 2 << 20;
constexpr std::size_t batch_count = 1000;

// So much of a turn is worth waking the writer for before the turn is over.
constexpr std::size_t early_bytes = 128 << 10;

// Facts that nobody waits for have so long to ride with somebody's sync.
constexpr auto patience = std::chrono::milliseconds(2);

// A segment grows by its own size within these steps: start-up is quick and a small relay stays small, and
// yet nearly every sync finds its blocks allocated.
constexpr std::uint64_t smallest_step = 1 << 20;
constexpr std::uint64_t largest_step = 8 << 20;
constexpr std::size_t zeroes_at_once = 64 << 10;
// Octets of a batch: about as much as a second flush costs on a common disk.
constexpr std::uint64_t grows_by_itself = 512 << 10;
// Behind a large batch, so many small ones do as well: a few of them between large ones are not worth the
// zeroes.
constexpr unsigned grow_as_well = 16;

constexpr auto space_check_interval = std::chrono::seconds(1);
constexpr auto shortest_pause = std::chrono::milliseconds(10);
constexpr auto longest_pause = std::chrono::seconds(1);

}  // namespace

QueueError to_queue_error(const std::exception& error) {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  const int code = system ? system->code().value() : 0;
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return {full ? QueueError::Kind::full : QueueError::Kind::failed, error.what()};
}

Journal::Journal(async::Loop& loop, disk::Disk& disk, const Options& options, SegmentTable& segments,
                 JournalStart start, OnReport on_report)
    : loop_(loop),
      disk_(disk),
      segment_size_(options.segment_size.count),
      reserve_(options.reserve),
      segments_(segments),
      on_report_(std::move(on_report)),
      store_(disk, start.last_sequence, std::move(start.free)),
      end_(start.end) {
  enter_segment();
  thread_ = std::thread([this] { serve(); });
}

Journal::~Journal() {
  hand_over(true);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

// Clients whose batch became durable go on in one turn of the loop. Were the first of them synced at once, it
// would have a sync for itself, and the others would wait for the next: twice the syncs for the same
// messages. Written it is at once, where that is worth it, while the loop prepares the next.
void Journal::submit(Submission submission) {
  ++in_line_;
  gathered_bytes_ += submission.bytes.size();
  gathered_.push_back(std::move(submission));
  if (gathered_bytes_ >= early_bytes) hand_over(false);
  if (std::exchange(in_turn_, true)) return;
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    in_turn_ = false;
    hand_over(true);
  });
}

void Journal::hand_over(bool turn_is_over) {
  gathered_bytes_ = 0;
  std::vector<Submission> part =
      std::exchange(gathered_, {});  // a turn of a million must not hold their memory
  {
    std::lock_guard lock(mutex_);
    std::move(part.begin(), part.end(), std::back_inserter(ready_));
    more_to_come_ = !turn_is_over;
  }
  wake_.notify_one();
}

std::optional<QueueError> Journal::refusal() const {
  std::lock_guard lock(mutex_);
  if (!retry_at_ || steady_clock::now() >= *retry_at_) return std::nullopt;
  return QueueError(refusal_kind_, refusal_);
}

// --- the thread ---

void Journal::serve() {
  std::unique_lock lock(mutex_);
  while (wait_for_work(lock)) {
    lock.unlock();
    write_batch();
    report();
    lock.lock();
  }
}

// False: stopping, and nothing is left.
bool Journal::wait_for_work(std::unique_lock<std::mutex>& lock) {
  if (retry_at_) wake_.wait_until(lock, *retry_at_, [this] { return stopping_; });
  retry_at_.reset();
  wake_.wait(lock, [this] { return stopping_ || !ready_.empty(); });
  wake_.wait_for(lock, patience, [this] { return stopping_ || has_urgent(); });
  return !ready_.empty();
}

bool Journal::has_urgent() const {
  return ready_.size() >= batch_count ||
         std::any_of(ready_.begin(), ready_.end(), [](const Submission& next) {
           return next.waiter || next.kind != Submission::Kind::fact;
         });
}

// A batch is what is synced once: all that is ready, and what the loop's turn still brings meanwhile.
void Journal::write_batch() {
  try {
    for (std::span<Submission> part = take_more(); !part.empty(); part = take_more()) {
      prepare(part);
      write(part);
    }
    sync();
    finish_batch();
  } catch (const std::exception& error) {
    fail_batch(to_queue_error(error));
  }
}

// Moves into the batch what is ready and fits; nothing when the batch is complete.
std::span<Submission> Journal::take_more() {
  const std::size_t before = batch_.size();
  const std::uint64_t room = segment_size_ - std::min(segment_size_, before > 0 ? written_ : segment_start);
  const std::uint64_t limit = std::min(batch_bytes, room);
  std::uint64_t bytes = before > 0 ? written_ - end_.offset : 0;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !more_to_come_ || !ready_.empty(); });
  while (!ready_.empty() && batch_.size() < batch_count) {
    const Submission& next = ready_.front();
    bytes += next.order ? next.order->length : next.bytes.size();
    if (bytes > limit && !batch_.empty()) break;
    batch_.push_back(std::move(ready_.front()));
    ready_.pop_front();
  }
  return std::span(batch_).subspan(before);
}

// Makes the bytes of rewrites, and refuses messages for which there is no room.
void Journal::prepare(std::span<Submission> part) {
  for (Submission& submission : part) {
    if (submission.order) prepare_rewrite(submission);
    if (submission.kind != Submission::Kind::message || !space_is_low()) continue;
    submission.failure.emplace(QueueError::Kind::full, "free space is below the reserve");
    submission.bytes.clear();
  }
}

void Journal::prepare_rewrite(Submission& submission) {
  const RewriteOrder& order = *submission.order;
  try {
    std::optional<std::string> bytes = rewrite(segments_, order);
    if (bytes) {
      submission.bytes = std::move(*bytes);
      return;
    }
    // Its segment is to go: keep what is there of it, then let it go.
    const std::shared_ptr<const Segment> segment = segments_.find(order.source.segment);
    std::string damaged(segment ? order.length : 0, '\0');
    if (segment) damaged.resize(segment->file->read_at(order.source.offset, damaged.data(), damaged.size()));
    set_aside(disk_, fmt::format("{}-message", to_string(submission.id)), damaged);
    submission.failure.emplace(QueueError::Kind::broken, "its record is damaged");
  } catch (const disk::DiskError& error) {
    submission.failure = to_queue_error(error);
  }
}

bool Journal::space_is_low() {
  const auto now = steady_clock::now();
  if (!space_low_ && now < next_space_check_) return false;
  next_space_check_ = now + space_check_interval;
  space_low_ = disk_.free_space() < reserve_;
  return space_low_;
}

// Writes a part of the batch behind what is written of it already. Throws; what is on disk is then unknown.
void Journal::write(std::span<Submission> part) {
  std::uint64_t bytes = 0;
  for (const Submission& submission : part) bytes += submission.bytes.size();
  if (bytes == 0) return;
  const bool begun = current_ && written_ > end_.offset;
  if (current_ && !begun && end_.offset > segment_start && end_.offset + bytes > segment_size_)
    leave_segment();
  if (!current_) enter_segment();
  std::vector<std::string_view> pieces;
  pieces.reserve(part.size());
  const std::uint64_t from = written_;
  for (Submission& submission : part) {
    if (submission.bytes.empty()) continue;
    submission.where = {end_.segment, static_cast<std::uint32_t>(written_)};
    seal(submission.bytes, current_->header.generation, end_.offset);
    pieces.push_back(submission.bytes);
    written_ += submission.bytes.size();
  }
  current_->file->write_at(from, pieces);
}

// Makes the batch durable. Throws; what of it is on disk is then unknown.
void Journal::sync() {
  if (written_ == end_.offset) return;
  fill_ahead();
  current_->file->sync_data();
  end_.offset = static_cast<std::uint32_t>(written_);
  failures_ = 0;
}

// Zeroes behind the end, so that later syncs need not write the file's size and block map as well. A large
// batch costs more to write twice than its sync costs with them.
void Journal::fill_ahead() {
  const std::uint64_t end = written_;
  if (end - end_.offset >= grows_by_itself)
    grow_themselves_ = grow_as_well + 1;
  else if (grow_themselves_ > 0)
    --grow_themselves_;
  if (end <= allocated_) return;
  if (grow_themselves_ > 0) {
    allocated_ = end;
    return;
  }
  const std::uint64_t step = std::clamp(end, smallest_step, largest_step);
  const std::uint64_t target = std::max(end, std::min(end + step, segment_size_));
  static const std::string zeros(zeroes_at_once, '\0');
  std::vector<std::string_view> pieces((target - end) / zeros.size(), zeros);
  pieces.push_back(std::string_view(zeros).substr(0, (target - end) % zeros.size()));
  allocated_ = end;
  try {
    current_->file->write_at(end, pieces);
    allocated_ = target;
  } catch (const disk::DiskError& error) {
    // The records are written; that there is no room for more is for the next batch to find out.
    if (to_queue_error(error).kind() != QueueError::Kind::full) throw;
  }
}

void Journal::enter_segment() {
  current_ = store_.open_next(end_.segment, end_.offset);
  end_ = {current_->header.sequence, segment_start};
  written_ = segment_start;
  allocated_ = current_->file->size();
  segments_.add(current_);
}

// The next segment's header will say where this one ended.
void Journal::leave_segment() {
  current_.reset();
  written_ = end_.offset;
}

// The same after a failure: what was written behind the end is void. A segment in which nothing became
// durable is void as a whole; on a disk that stays full, such ones must not pile up.
void Journal::abandon_segment() {
  const SegmentHeader& header = current_->header;
  if (end_.offset == segment_start) {
    end_ = {header.previous, header.previous_end};
    segments_.remove(header.sequence);
    store_.discard(header.sequence);
  }
  leave_segment();
}

void Journal::finish_batch() {
  std::uint64_t retire_below = 0;
  for (const Submission& submission : batch_) {
    retire_below = std::max(retire_below, submission.retire_below);
    if (submission.unlink.empty()) continue;
    try {
      disk_.remove(submission.unlink);
    } catch (const disk::DiskError& error) {
      troubles_.push_back(fmt::format("cannot remove a file that is no longer needed: {}", error.what()));
    }
  }
  retire_segments(retire_below);
}

void Journal::retire_segments(std::uint64_t below) {
  if (below == 0) return;
  try {
    for (const std::uint64_t sequence : segments_.below(below)) {
      store_.retire(sequence);
      segments_.remove(sequence);
    }
  } catch (const disk::DiskError& error) {
    // Strictly oldest first: it and the rest wait for the next order, which covers them.
    troubles_.push_back(fmt::format("cannot retire a journal segment: {}", error.what()));
  }
}

// The segment is not trusted again. Facts go back to the front of the line; the rest is given up.
void Journal::fail_batch(const QueueError& error) {
  // While it lasts this is one piece of news, however often it is tried.
  const bool news = ++failures_ == 1;
  if (news) troubles_.push_back(fmt::format("cannot write to the journal: {}", error.what()));
  if (current_) abandon_segment();
  bool reopened = true;
  try {
    // Before any client is told: once this header is durable, the failed records are void for ever.
    enter_segment();
  } catch (const std::exception& again) {
    if (news) troubles_.push_back(fmt::format("cannot open a fresh journal segment: {}", again.what()));
    reopened = false;
  }
  Batch given_up;
  std::vector<Submission> facts;
  for (Submission& submission : batch_) {
    if (submission.kind == Submission::Kind::fact) {
      facts.push_back(std::move(submission));
    } else {
      if (!submission.failure) submission.failure = error;
      given_up.push_back(std::move(submission));
    }
  }
  batch_ = std::move(given_up);
  std::lock_guard lock(mutex_);
  ready_.insert(ready_.begin(), std::make_move_iterator(facts.begin()), std::make_move_iterator(facts.end()));
  refusal_ = error.what();
  refusal_kind_ = error.kind();
  back_off(reopened);
}

// Called with the lock held.
void Journal::back_off(bool reopened) {
  constexpr unsigned most_doublings = 7;
  if (reopened && failures_ == 1) return;
  if (stopping_) return ready_.clear();  // it was tried twice
  const auto pause = shortest_pause * (1U << std::min(failures_, most_doublings));
  retry_at_ = steady_clock::now() + std::min<steady_clock::duration>(pause, longest_pause);
  for (auto next = ready_.begin(); next != ready_.end();) {
    if (next->kind == Submission::Kind::fact) {
      ++next;
      continue;
    }
    next->failure.emplace(refusal_kind_, refusal_);
    batch_.push_back(std::move(*next));
    next = ready_.erase(next);
  }
}

// Tells the loop, once for the whole batch.
void Journal::report() {
  auto report = std::make_shared<Report>(Report{std::move(batch_), std::move(troubles_)});
  batch_.clear();
  troubles_.clear();
  if (report->done.empty() && report->troubles.empty()) return;
  loop_.post([this, alive = std::weak_ptr(alive_), report] {
    if (alive.expired()) return;
    in_line_ -= report->done.size();
    on_report_(*report);
  });
}

}  // namespace relayd::queue
