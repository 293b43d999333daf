#include "relay/history_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "shared/disk/whole_file.hpp"

namespace relayd {

using async::Task;

namespace {

constexpr std::size_t write_at = 64 * 1024;
constexpr Duration write_after = std::chrono::seconds(1);
// Nothing more is gathered then. What one event tells of all its recipients may go beyond; and as much again
// is being written.
constexpr std::size_t most_gathered = 1 << 20;
// How often it is looked whether something is too old.
constexpr Duration upkeep_every = std::chrono::hours(1);
constexpr std::size_t key_length = 32;

std::uint64_t lines_of(std::string_view text) {
  return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

}  // namespace

HistoryBook::HistoryBook(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
                         const config::Config& config)
    : loop_(loop),
      workers_(workers),
      disk_(disk),
      log_(log),
      masked_(config.log.addresses == config::LogAddresses::masked),
      limits_{config.history, config.queue.reserve},
      files_(disk),
      timer_(loop),
      upkeep_(loop) {}

void HistoryBook::open() {
  if (masked_ && on()) open_key();
  opened_ = true;
  scope_.spawn(look_after());
}

// Made once, and then kept: without it what is masked cannot be found.
void HistoryBook::open_key() {
  try {
    disk_.make_directory(history_folder);
    try {
      key_ = disk::read_whole(disk_, history_key);
    } catch (const disk::DiskError& error) {
      if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    if (key_.size() >= key_length) return;
    std::random_device random;
    key_.clear();
    while (key_.size() < key_length) key_ += fmt::format("{:08x}", random());
    disk::write_whole(disk_, history_key, key_);
    disk_.sync_directory(history_folder);
  } catch (const disk::DiskError& error) {
    key_.clear();
    log_.warning("history_not_written",
                 {{"reason", fmt::format("masked addresses cannot be searched for: {}", error.what())}});
  }
}

void HistoryBook::use(const config::Config& config) {
  const bool was_on = on();
  limits_ = {config.history, config.queue.reserve};
  if (!opened_) return;
  if (masked_ && on() && !was_on && key_.empty()) open_key();
  if (!on()) {
    done_ += gathered_.size();
    gathered_.clear();
  }
  scope_.spawn(look_after());
}

tell::Subscriber HistoryBook::subscriber() {
  return {.arrived = [this](const tell::Arrival& arrival) { take(arrival); },
          .attempted = [this](const tell::Outcome& outcome) { take(outcome); },
          .given_up = [this](const tell::GivenUp& given_up) { take(given_up); },
          .handled = [this](const tell::Handled& message) { take(message); },
          .reported = [this](const tell::Reported& report) { take(report); }};
}

template <class News>
void HistoryBook::take(const News& news) {
  if (!on()) return;
  if (gathered_.capacity() == 0) gathered_.reserve(2 * write_at);
  const std::size_t before = gathered_.size();
  const bool is_full = before >= most_gathered;
  tell::append_history(gathered_, news, {loop_.wall_now(), masked_, key_});
  if (is_full) {
    lost_ += lines_of(std::string_view(gathered_).substr(before));
    gathered_.resize(before);
    heed("the disk does not keep up");
  }
  taken_ += gathered_.size() - before;
  arrange();
}

// Of the one that is under way.
Task<void> HistoryBook::turn_over() {
  async::Event over;
  waiting_.push_back(&over);
  co_await over;
}

// One call of the files at a time.
Task<void> HistoryBook::begin_turn() {
  while (writing_) co_await turn_over();
  writing_ = true;
}

void HistoryBook::end_turn() {
  writing_ = false;
  arrange();
  for (async::Event* const over : std::exchange(waiting_, {})) over->set();
}

// Has the lines written, if there are any: soon, or at once when they are many.
void HistoryBook::arrange() {
  if (stopping_ || writing_) return;  // the turn's end arranges the next
  if (gathered_.empty() && outgoing_.empty()) return;
  if (gathered_.size() >= write_at && !failed_)
    scope_.spawn(write());
  else if (!timer_.armed())
    timer_.at(loop_.now() + write_after, [this] { scope_.spawn(write()); });
}

// Said once, when it begins.
void HistoryBook::heed(const std::string& failure) {
  if (!std::exchange(troubled_, true)) log_.warning("history_not_written", {{"reason", failure}});
}

Task<void> HistoryBook::write() {
  co_await begin_turn();
  if (stopping_) co_return end_turn();
  timer_.cancel();
  if (outgoing_.empty()) std::swap(gathered_, outgoing_);
  const auto append = [this, limits = limits_, now = loop_.wall_now()] {
    return files_.append(outgoing_, limits, now);
  };
  const HistoryFiles::Written written = co_await workers_.run(append);
  outgoing_.erase(0, written.octets);
  if (outgoing_.empty() && outgoing_.capacity() > most_gathered) outgoing_ = {};
  done_ += written.octets;
  failed_ = !written.failure.empty();
  if (failed_) {
    heed(written.failure);
  } else if (troubled_ && gathered_.size() < write_at) {
    troubled_ = false;
    log_.info("history_written", {{"lost", std::exchange(lost_, 0)}});
  }
  end_turn();
}

// What is too old goes, also where nothing is written any more.
Task<void> HistoryBook::look_after() {
  co_await begin_turn();
  if (stopping_) co_return end_turn();
  const auto trim = [this, limits = limits_, now = loop_.wall_now()] { files_.trim(limits, now); };
  try {
    co_await workers_.run(trim);
  } catch (const disk::DiskError& error) {
    log_.warning("history_not_written", {{"reason", error.what()}});
  }
  end_turn();
  if (stopping_) co_return;
  upkeep_.at(loop_.now() + upkeep_every, [this] { scope_.spawn(look_after()); });
}

// Where mail does not stop, neither do the turns: what came after the call is not waited for.
Task<void> HistoryBook::flush() {
  const std::uint64_t all = taken_;
  if (writing_) co_await turn_over();
  for (bool failed = false; done_ < all && !failed;) {
    const bool own = !writing_;
    if (own)
      co_await write();
    else
      co_await turn_over();
    failed = own && (failed_ || stopping_);
  }
}

void HistoryBook::shut_down() {
  stopping_ = true;
  timer_.cancel();
  upkeep_.cancel();
}

}  // namespace relayd
