#include "relay/suppression_book.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/base/counted.hpp"
#include "shared/disk/whole_file.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd {

using async::Task;
using tell::Suppression;
using tell::SuppressionList;

namespace {

constexpr const char* file_name = "suppressed.csv";
constexpr Duration delay = std::chrono::seconds(1);
constexpr Duration before_another_try = std::chrono::minutes(1);
constexpr Duration between_sweeps = std::chrono::hours(1);
// This many rows more than the file had are appended before it is written again.
constexpr std::size_t rows_more = 1000;
constexpr std::size_t rows_at_once = 4096;

}  // namespace

// --- from disk ---

void SuppressionBook::load() {
  try {
    read_rows(disk::read_whole(disk_, file_name));
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) set_aside(error.what());
  }
}

// A row that was cut short by a crash was never promised. One that cannot be read loses itself only.
void SuppressionBook::read_rows(std::string_view text) {
  const std::size_t end = text.rfind('\n') + 1;  // none: 0
  const bool torn = end != text.size();
  const WallTime now = loop_.wall_now();
  std::size_t number = 0, wrong = 0;
  std::string first;
  for (text = text.substr(0, end); !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (number == 0 && line == tell::suppression_columns) continue;
    const Result<Suppression> row = tell::parse_row(line, {});
    if (!row && wrong++ == 0) first = fmt::format("line {}: {}", number + 1, row.error());
    if (!row) continue;
    if (row->until <= now)
      list_.erase(row->sender, row->recipient);
    else
      list_.put(*row);
  }
  rows_ = number;
  if (wrong > 0)
    return set_aside(fmt::format("{} of {} cannot be read, {}", wrong, counted(number, "line"), first));
  whole_ = torn || number == 0;
}

void SuppressionBook::set_aside(const std::string& reason) {
  const std::string aside =
      fmt::format("{}.damaged-{}", file_name,
                  std::chrono::floor<std::chrono::seconds>(loop_.wall_now()).time_since_epoch().count());
  try {
    disk_.rename(file_name, aside);
    disk_.sync_directory(".");
    damage_.push_back(fmt::format("{}: {}; the file is kept as {}, with {} that could be read", file_name,
                                  reason, aside, counted(list_.size(), "recipient")));
  } catch (const disk::DiskError& error) {
    untouchable_ = true;
    damage_.push_back(
        fmt::format("{}: {}; it stays as it is, and nothing new is written until a start can "
                    "read it or set it aside: {}",
                    file_name, reason, error.what()));
  }
}

void SuppressionBook::open() {
  for (const std::string& line : damage_) log_.error("suppressions_damaged", {{"reason", line}});
  if (!damage_.empty() && !untouchable_) touch();
  sweep_later();
}

// --- what changes ---

tell::Subscriber SuppressionBook::subscriber() {
  return {.attempted = [this](const tell::Outcome& outcome) { hear(outcome); }};
}

void SuppressionBook::hear(const tell::Outcome& outcome) {
  if (!terms_) return;
  const std::optional<Suppression> entry = tell::suppression_of(outcome, loop_.wall_now(), terms_->keep);
  if (!entry) return;
  put(*entry);
  publisher_.publish(tell::Suppressed{.kind = tell::Suppressed::Kind::remembered,
                                      .id = outcome.id,
                                      .from = outcome.from,
                                      .to = outcome.to,
                                      .upstream = outcome.upstream,
                                      .reason = entry->reason,
                                      .until = entry->until});
}

std::optional<smtp::Reply> SuppressionBook::refusal(std::string_view sender,
                                                    std::string_view recipient) const {
  if (!terms_) return std::nullopt;
  const std::optional<Suppression> found =
      list_.find(mail::split(sender).domain, recipient, loop_.wall_now());
  if (!found) return std::nullopt;
  publisher_.publish(tell::Suppressed{.kind = tell::Suppressed::Kind::refused,
                                      .from = sender,
                                      .to = recipient,
                                      .reason = found->reason,
                                      .until = found->until});
  return smtp::Reply{550, {5, 1, 1}, tell::refusal_text(recipient, *found)};
}

std::optional<std::chrono::seconds> SuppressionBook::keep() const {
  return terms_ ? std::optional(terms_->keep) : std::nullopt;
}

void SuppressionBook::put(const Suppression& entry) {
  const std::size_t gone = list_.put(entry);
  if (gone > 0 && !std::exchange(told_full_, true))
    log_.warning("suppressions_full",
                 {{"count", list_.size()},
                  {"reason", "the oldest go for those that come; told once: shorten `suppress.for`"}});
  tell::append_row(pending_, entry);
  ++pending_rows_;
  touch();
}

void SuppressionBook::take_away(const std::string& sender, const std::string& recipient) {
  if (!list_.erase(sender, recipient)) return;
  tell::append_row(pending_, {recipient, sender, {}, {}, ""});
  ++pending_rows_;
  touch();
}

Task<void> SuppressionBook::add(const std::vector<Suppression>& entries) {
  std::size_t count = 0;
  for (const Suppression& entry : entries) {
    if (++count % rows_at_once == 0) co_await breathe();
    if (entry.until > loop_.wall_now()) put(entry);
  }
}

Task<std::size_t> SuppressionBook::remove(const std::string& recipient,
                                          const std::optional<std::string>& sender) {
  const std::string wanted = mail::lookup_key(recipient);
  const std::string domain = sender ? mail::a_labels(*sender) : std::string();
  std::size_t count = 0;  // of those that still hold
  for (std::size_t slice = 0; slice < SuppressionList::slices; ++slice) {
    for (const Suppression& entry : list_.slice(slice)) {
      if (entry.recipient != wanted || (sender && entry.sender != domain)) continue;
      count += entry.until > loop_.wall_now();
      take_away(entry.sender, entry.recipient);
    }
    if (list_.size() > rows_at_once) co_await breathe();
  }
  co_return count;
}

// --- to disk ---

void SuppressionBook::touch() {
  if (!timer_.armed() && !untouchable_) timer_.at(loop_.now() + delay, [this] { scope_.spawn(save()); });
}

void SuppressionBook::sweep_later() {
  sweeping_.at(loop_.now() + between_sweeps, [this] { scope_.spawn(sweep()); });
}

Task<void> SuppressionBook::sweep() {
  for (std::size_t slice = 0; slice < SuppressionList::slices && list_.size() > 0; ++slice) {
    list_.drop_expired(slice, loop_.wall_now());
    co_await breathe();
  }
  sweep_later();
}

// Rows that come while everything is gathered are appended afterwards, whether they are in this already or
// not.
Task<SuppressionBook::Writing> SuppressionBook::next_writing() {
  const bool whole = whole_ || appended_ + pending_rows_ > rows_ + rows_more;
  Writing writing;
  writing.whole = whole;
  writing.text.swap(pending_);
  appended_ += std::exchange(pending_rows_, 0);
  if (!whole) co_return writing;
  writing.text = std::string(tell::suppression_columns) + '\n';
  std::size_t rows = 0;
  for (std::size_t slice = 0; slice < SuppressionList::slices; ++slice) {
    list_.drop_expired(slice, loop_.wall_now());
    for (const Suppression& entry : list_.slice(slice)) {
      tell::append_row(writing.text, entry);
      ++rows;
    }
    if (list_.size() > rows_at_once) co_await breathe();
  }
  rows_ = rows;
  appended_ = 0;
  co_return writing;
}

// On a helper thread. Returns why it failed; empty: done.
std::string SuppressionBook::write(const Writing& writing) const {
  try {
    if (writing.whole) {
      disk::write_whole(disk_, file_name, writing.text);
      return {};
    }
    const std::unique_ptr<disk::File> file = disk_.open(file_name);
    file->write_at(file->size(), writing.text);
    file->sync_data();
  } catch (const disk::DiskError& error) {
    return error.what();
  }
  return {};
}

// Returns when a write has had everything that was new at the call.
Task<void> SuppressionBook::save() {
  const bool is_ours = co_await writing_.begin();
  if (!is_ours) co_return;
  const Writing writing = co_await next_writing();
  failure_.clear();
  const auto work = [this, &writing] { return write(writing); };
  if (writing.whole || !writing.text.empty()) failure_ = co_await workers_.run(work);
  whole_ = !failure_.empty();
  if (whole_) {
    log_.warning("suppressions_not_written", {{"reason", failure_}});
    timer_.at(loop_.now() + before_another_try, [this] { scope_.spawn(save()); });
  }
  writing_.end();
}

Task<std::string> SuppressionBook::flush() {
  if (untouchable_) co_return std::string("suppressed.csv can be neither read nor set aside: see the log");
  timer_.cancel();
  if (pending_.empty() && !writing_.under_way() && failure_.empty() && !(whole_ && list_.size() > 0))
    co_return failure_;
  co_await save();
  co_return failure_;
}

}  // namespace relayd
