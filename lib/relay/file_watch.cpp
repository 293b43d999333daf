#include "relay/file_watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace relayd {

using async::Task;

void FileWatch::watch(disk::FileStamps read) {
  read_ = std::move(read);
  seen_.clear();
  waiting_ = false;
  if (looking_)
    news_ = true;  // that look was at others
  else
    look_at(loop_.now());
}

void FileWatch::close() {
  closed_ = true;
  notices_.reset();
  alarm_.cancel();
}

void FileWatch::look_at(SteadyTime when) {
  if (!closed_ && !waiting_) alarm_.at(when, [this] { scope_.spawn(look()); });
}

// A look that waits for files to settle is sooner than any notice.
void FileWatch::notice() {
  if (looking_)
    news_ = true;
  else if (seen_.empty())
    look_at(loop_.now());
}

Task<void> FileWatch::look() {
  looking_ = true;
  news_ = false;
  const disk::FileStamps read = read_;  // watch() may replace it meanwhile
  Look found = co_await workers_.run([&read] {
    Look look;
    for (const auto& [path, stamp] : read) {
      look.stamps[path] = disk::file_stamp(path);
      disk::add_places(path, look.places);
    }
    return look;
  });
  looking_ = false;
  if (closed_) co_return;
  const bool follows_others = follow(std::move(found.places));
  if (follows_others || news_) co_return look_at(loop_.now());
  weigh(std::move(found.stamps));
}

// True: others than before, and nobody has told what happened to them until now.
bool FileWatch::follow(disk::Places places) {
  if (notices_ && places == places_) return false;
  places_ = std::move(places);
  notices_.reset();
  notices_ = std::make_unique<net::DirectoryWatch>(loop_, places_, [this] { notice(); });
  if (!notices_->lacks().empty() && !std::exchange(lacks_told_, true))
    log_.info("not_watching", {{"reason", fmt::format("{}", fmt::join(notices_->lacks(), "; "))}});
  return true;
}

void FileWatch::weigh(disk::FileStamps stamps) {
  if (stamps == read_) {
    seen_.clear();
    return look_at(loop_.now() + interval);
  }
  if (seen_.empty()) first_seen_ = loop_.now();
  // What is empty now is about to be written: a shell empties a file before the command begins.
  const bool emptied = std::ranges::any_of(stamps, [this](const auto& file) {
    return disk::is_empty(file.second) && read_.at(file.first) != file.second;
  });
  const bool settled = (stamps == seen_ && !emptied) || loop_.now() >= first_seen_ + longest_settle;
  seen_ = std::move(stamps);
  if (!settled) return look_at(loop_.now() + settle);
  std::vector<std::string> changed;
  for (const auto& [path, stamp] : seen_)
    if (read_.at(path) != stamp) changed.push_back(path);
  waiting_ = true;
  on_change_(changed);
}

}  // namespace relayd
