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
// the first does not wait for long; more where a sync is slow. A start relies on less than 8 MiB. The count
// stays below the kernel's limit of pieces a write.
constexpr std::uint64_t batch_bytes = 2 << 20;
constexpr std::uint64_t slow_batch_bytes = 6 << 20;
constexpr auto slow_sync = std::chrono::milliseconds(1);
constexpr std::size_t batch_count = 1000;
constexpr std::uint64_t facts_batch_bytes = Ground::smallest_state_file - segment_start;

// So much of a turn is worth waking the writer for before the turn is over.
constexpr std::size_t early_bytes = 128 << 10;

// Facts that nobody waits for have so long to ride with somebody's sync.
constexpr auto patience = std::chrono::milliseconds(2);

constexpr auto space_check_interval = std::chrono::seconds(1);
constexpr auto shortest_pause = std::chrono::milliseconds(10);
constexpr auto longest_pause = std::chrono::seconds(1);

const char* name_of(Journal::Log log) {
  return log == Journal::Log::messages ? "message log" : "state log";
}

}  // namespace

QueueError to_queue_error(const std::exception& error) {
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  const int code = system ? system->code().value() : 0;
  const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
  return {full ? QueueError::Kind::full : QueueError::Kind::failed, error.what()};
}

Journal::Journal(Log log, async::Loop& loop, Ground& ground, SegmentTable& segments,
                 std::atomic<std::uint64_t>& last_sequence, JournalStart start, OnReport on_report)
    : log_(log),
      loop_(loop),
      ground_(ground),
      segments_(segments),
      last_sequence_(last_sequence),
      on_report_(std::move(on_report)),
      current_(std::move(start.current)),
      torn_(start.torn),
      end_(start.end),
      written_(start.end.offset) {
  thread_ = std::thread([this] { serve(); });
}

Journal::~Journal() {
  close({});
}

void Journal::close(std::vector<std::string> last) {
  if (!thread_.joinable()) return;
  hand_over(true);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
  // What was refused must not be found there by the next start, which goes on where this one ended.
  if (log_ == Log::messages && !current_ && failures_ > 0) {
    try {
      enter_segment(segment_start + 1);
    } catch (const std::exception&) {
      // Then it is found as after a kill.
    }
  }
  for (std::string& record : last) {
    ready_.push_back({});
    ready_.back().bytes = std::move(record);
    write_batch();
    batch_.clear();
    if (failures_ > 0) return;
  }
}

// Clients whose batch became durable go on in one turn of the loop. Were the first of them synced at once, it
// would have a sync for itself, and the others would wait for the next: twice the syncs for the same
// messages. It is written at once where that pays, while the loop prepares the next.
Position Journal::submit(Submission submission) {
  const Position place = promise(++submitted_);
  submission.number = submitted_;
  submission.reported = reported_;
  submission.octets = submission.bytes.size();
  octets_in_line_ += submission.octets;
  gathered_bytes_ += submission.bytes.size();
  gathered_.push_back(std::move(submission));
  if (gathered_bytes_ >= early_bytes) hand_over(false);
  if (std::exchange(in_turn_, true)) return place;
  loop_.post([this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    in_turn_ = false;
    hand_over(true);
  });
  return place;
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
  return somebody_waits_ || ready_.size() >= batch_count ||
         std::any_of(ready_.begin(), ready_.end(), [](const Submission& next) { return next.waiter; });
}

// A batch is what is synced once: all that is ready, and what the loop's turn still brings meanwhile.
void Journal::write_batch() {
  try {
    for (std::span<Submission> part = take_more(); !part.empty(); part = take_more()) {
      if (log_ == Log::messages) refuse_below_the_reserve(part);
      write(part);
    }
    sync();
  } catch (const std::exception& error) {
    fail_batch(to_queue_error(error));
  }
}

// Moves into the batch what is ready and fits; nothing when the batch is complete.
std::span<Submission> Journal::take_more() {
  const std::size_t before = batch_.size();
  std::uint64_t limit = log_ == Log::messages
                            ? std::min(sync_took_ < slow_sync ? batch_bytes : slow_batch_bytes,
                                       ground_.largest() - segment_start)
                            : ground_.largest_fact();
  std::uint64_t bytes = before > 0 ? written_ - end_.offset : 0;
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [this] { return stopping_ || !more_to_come_ || !ready_.empty(); });
  if (current_) {
    // What is left of the segment is filled, unless not even the next record has room there.
    const std::uint64_t room = current_->capacity - std::min(current_->capacity, written_);
    if (before > 0)
      limit = std::min(limit, bytes + room);
    else if (!ready_.empty() && ready_.front().bytes.size() <= room)
      limit = std::min(limit, room);
  }
  while (!ready_.empty() && batch_.size() < batch_count) {
    const Submission& next = ready_.front();
    bytes += next.bytes.size();
    if (bytes > limit && !batch_.empty()) break;
    batch_.push_back(std::move(ready_.front()));
    ready_.pop_front();
  }
  if (ready_.empty()) somebody_waits_ = false;
  return std::span(batch_).subspan(before);
}

void Journal::refuse_below_the_reserve(std::span<Submission> part) {
  for (Submission& submission : part) {
    if (!space_is_low()) continue;
    submission.failure.emplace(QueueError::Kind::full, "free space is below the reserve");
    submission.bytes.clear();
  }
}

bool Journal::space_is_low() {
  const auto now = steady_clock::now();
  if (!space_low_ && now < next_space_check_) return false;
  next_space_check_ = now + space_check_interval;
  space_low_ = ground_.is_low();
  return space_low_;
}

// Writes a part of the batch behind what is written of it already. Throws; what is on disk is then unknown.
void Journal::write(std::span<Submission> part) {
  std::uint64_t bytes = 0;
  for (const Submission& submission : part) bytes += submission.bytes.size();
  if (bytes == 0) return;
  const bool begun = current_ && written_ > end_.offset;
  if (current_ && !begun && end_.offset > segment_start && end_.offset + bytes > current_->capacity)
    leave_segment();
  if (!current_) enter_segment(bytes + segment_start);
  std::vector<std::string_view> pieces;
  pieces.reserve(part.size());
  const std::uint64_t from = written_;
  for (Submission& submission : part) {
    if (submission.bytes.empty()) continue;
    place(submission);
    seal(submission.bytes, current_->header.generation, end_.offset);
    pieces.push_back(submission.bytes);
    written_ += submission.bytes.size();
  }
  current_->file->write_at(from, pieces);
}

// Says where it stands, to whoever has a promise of that, and keeps its own promise.
void Journal::place(Submission& submission) {
  submission.where = {end_.segment, static_cast<std::uint32_t>(written_)};
  if (log_ == Log::messages || submission.number == 0) return;
  for (; placed_first_ <= submission.reported && !placed_.empty(); ++placed_first_) placed_.pop_front();
  // A batch that failed is placed once more.
  placed_.resize(std::max(placed_.size(), submission.number - placed_first_ + 1));
  placed_[submission.number - placed_first_] = submission.where;
  if (!submission.previous.is_promise()) return;
  const std::uint64_t before = submission.previous.segment & ~Position::promised;
  set_previous(submission.bytes, placed_[before - placed_first_]);
}

// Makes the batch durable. Throws; what of it is on disk is then unknown.
void Journal::sync() {
  if (written_ == end_.offset) return;
  const auto begun = steady_clock::now();
  current_->file->sync_data();
  sync_took_ = steady_clock::now() - begun;
  synced_ = true;
  end_.offset = static_cast<std::uint32_t>(written_);
  failures_ = 0;
}

// While intake takes files, one is left for messages that have to move. The files of the state log go round
// in their order, whatever their size.
void Journal::enter_segment(std::uint64_t least) {
  const bool is_intake = log_ == Log::messages;
  constexpr std::size_t nothing_to_move = 3;  // segments in use: fewer are not worth moving together
  const std::size_t left = is_intake && segments_.size() >= nothing_to_move ? 1 : 0;
  // A number is used once, even if it comes to nothing: nobody can say what of it is on disk.
  const SegmentHeader header = {++last_sequence_,
                                random_generation(),
                                end_.segment,
                                end_.offset,
                                is_intake ? SegmentKind::intake : SegmentKind::state,
                                torn_};
  current_ = ground_.begin_segment(ground_log(), header, least, left);
  torn_ = false;
  end_ = {header.sequence, segment_start};
  written_ = segment_start;
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
    torn_ = header.previous_is_torn;
    segments_.remove(header.sequence);
    ground_.give_back(ground_log(), *current_);
  }
  leave_segment();
}

// The segment is not trusted again. Facts go back to the front of the line; the rest is given up.
void Journal::fail_batch(const QueueError& error) {
  // While it lasts this is one piece of news, however often it is tried.
  const bool news = ++failures_ == 1;
  if (news) troubles_.push_back(fmt::format("cannot write to the {}: {}", name_of(log_), error.what()));
  if (current_) abandon_segment();
  bool reopened = true;
  try {
    // Before any client is told: once this header is durable, the failed records are void for ever.
    enter_segment(segment_start + 1);
  } catch (const std::exception& again) {
    if (news)
      troubles_.push_back(
          fmt::format("cannot open a fresh segment of the {}: {}", name_of(log_), again.what()));
    reopened = false;
  }
  Batch again;
  if (log_ == Log::facts) again = std::exchange(batch_, {});
  for (Submission& submission : batch_)
    if (!submission.failure) submission.failure = error;
  std::lock_guard lock(mutex_);
  ready_.insert(ready_.begin(), std::make_move_iterator(again.begin()), std::make_move_iterator(again.end()));
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
  if (log_ == Log::facts) return;
  for (Submission& next : ready_) {
    next.failure.emplace(refusal_kind_, refusal_);
    batch_.push_back(std::move(next));
  }
  ready_.clear();
}

// Tells the loop, once for the whole batch.
void Journal::report() {
  const std::uint64_t capacity = current_ ? current_->capacity : 0;
  auto report =
      std::make_shared<Report>(Report{std::move(batch_), std::move(troubles_), end_, current_ != nullptr,
                                      capacity - std::min(capacity, written_)});
  if (std::exchange(synced_, false)) report->sync_took = sync_took_;
  batch_.clear();
  troubles_.clear();
  if (report->done.empty() && report->troubles.empty()) return;
  loop_.post([this, alive = std::weak_ptr(alive_), report] {
    if (alive.expired()) return;
    reported_ += report->done.size();
    if (report->sync_took) sync_times_.add(*report->sync_took);
    for (const Submission& submission : report->done) octets_in_line_ -= submission.octets;
    on_report_(*report);
    while (!flushes_.empty() && flushes_.begin()->first <= reported_) {
      async::Event* const flush = flushes_.begin()->second;
      flushes_.erase(flushes_.begin());
      flush->set();
    }
  });
}

async::Task<void> Journal::flush() {
  if (in_line() == 0) co_return;
  {
    std::lock_guard lock(mutex_);
    somebody_waits_ = true;
  }
  wake_.notify_one();
  async::Event reported;
  flushes_.emplace(submitted_, &reported);
  co_await reported;
}

}  // namespace relayd::queue
