#include "relay/history_files.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

namespace relayd {

using disk::DiskError;

namespace {

constexpr std::uint64_t parts = 16;
// A file is read as a whole by who searches it.
constexpr std::uint64_t largest_file = 16 << 20;
constexpr std::string_view ending = ".jsonl";

std::uint64_t file_size(const HistoryFiles::Limits& limits) {
  return std::min(limits.keep.size.count / parts, largest_file);
}

// How long one file is written to.
Duration file_age(const HistoryFiles::Limits& limits) {
  return std::max<Duration>(limits.keep.keep / parts, std::chrono::seconds(1));
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return error == std::errc();
}

std::optional<HistoryFile> parse_name(std::string_view name) {
  HistoryFile file;
  std::int64_t seconds = 0;
  constexpr std::int64_t latest = std::int64_t{1} << 40;
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  if (!take_number(name, file.number) || !name.starts_with('-')) return std::nullopt;
  name.remove_prefix(1);
  if (!take_number(name, seconds) || !name.empty() || seconds < 0 || seconds > latest) return std::nullopt;
  file.begun = WallTime(std::chrono::seconds(seconds));
  return file;
}

std::string path_of(const HistoryFile& file) {
  return fmt::format("{}/{}", history_folder, file.name());
}

// Nothing: it is none that can hold lines, but a directory, a FIFO, a socket.
std::unique_ptr<disk::File> open_regular(disk::Disk& disk, const std::string& path) {
  try {
    std::unique_ptr<disk::File> file = disk.open(path);
    struct stat status {};
    const bool is_special =
        file->descriptor() >= 0 && ::fstat(file->descriptor(), &status) == 0 && !S_ISREG(status.st_mode);
    return is_special ? nullptr : std::move(file);
  } catch (const DiskError& error) {
    if (error.code() == std::errc::is_a_directory || error.code() == std::errc::no_such_device_or_address)
      return nullptr;
    throw;
  }
}

bool ends_a_line(disk::File& file, std::uint64_t size) {
  char last = '\n';
  return size == 0 || file.read_at(size - 1, &last, 1) == 0 || last == '\n';
}

}  // namespace

std::string HistoryFile::name() const {
  return fmt::format("{:010}-{}{}", number,
                     std::chrono::floor<std::chrono::seconds>(begun).time_since_epoch().count(), ending);
}

std::vector<HistoryFile> history_files(const std::vector<std::string>& names) {
  std::vector<HistoryFile> files;
  for (const std::string& name : names)
    if (const std::optional<HistoryFile> file = parse_name(name)) files.push_back(*file);
  std::ranges::sort(files, {}, &HistoryFile::number);
  return files;
}

// What an earlier process left. The end of its last line may be missing.
void HistoryFiles::look() {
  if (looked_) return;
  disk_.make_directory(history_folder);
  files_.clear();
  total_ = 0;
  for (const HistoryFile& file : history_files(disk_.list(history_folder))) {
    const std::unique_ptr<disk::File> opened = open_regular(disk_, path_of(file));
    last_number_ = file.number;
    if (!opened) continue;
    files_.push_back({file, opened->size()});
    total_ += files_.back().size;
    ended_ = ends_a_line(*opened, files_.back().size);
  }
  looked_ = true;
}

HistoryFiles::Written HistoryFiles::append(std::string_view lines, const Limits& limits, WallTime now) {
  const std::size_t all = lines.size();
  Written written;
  try {
    look();
    const bool low = disk_.free_space() < limits.reserve;
    if (low && !ceiling_) ceiling_ = std::max(total_, file_size(limits));
    if (!low) ceiling_.reset();
    while (!lines.empty()) write_some(lines, limits, now);
  } catch (const DiskError& error) {
    written.failure = error.what();
  }
  written.octets = all - lines.size();
  return written;
}

// As many lines as the present file takes, or one at least.
void HistoryFiles::write_some(std::string_view& lines, const Limits& limits, WallTime now) {
  const std::unique_ptr<disk::File> file = current(limits, now);
  Known& known = files_.back();
  if (!ended_) {  // what was cut short becomes a line of its own
    file->write_at(known.size, "\n");
    ++known.size;
    ++total_;
    ended_ = true;
  }
  const std::uint64_t room = file_size(limits) - std::min(file_size(limits), known.size);
  std::size_t end = lines.substr(0, room).rfind('\n');
  if (end == std::string_view::npos) end = std::min(lines.find('\n'), lines.size() - 1);
  const std::string_view piece = lines.substr(0, end + 1);
  make_room(piece.size(), limits);
  file->write_at(known.size, piece);
  known.size += piece.size();
  total_ += piece.size();
  lines.remove_prefix(piece.size());
}

// The file to write to: the last one, or a new one where that is large or old enough, was begun by a clock
// that was ahead, or is not there any more.
std::unique_ptr<disk::File> HistoryFiles::current(const Limits& limits, WallTime now) {
  if (!files_.empty()) {
    const Known& last = files_.back();
    const bool timely = last.file.begun <= now && now - last.file.begun < file_age(limits);
    try {
      if (timely && last.size < file_size(limits)) return disk_.open(path_of(last.file));
    } catch (const DiskError& error) {
      if (error.code() != std::errc::no_such_file_or_directory) throw;
      looked_ = false;
      look();
    }
  }
  begin_file(now);
  trim(limits, now);
  return disk_.open(path_of(files_.back().file));
}

void HistoryFiles::begin_file(WallTime now) {
  const HistoryFile file{last_number_ + 1, std::chrono::floor<std::chrono::seconds>(now)};
  disk_.create(path_of(file));
  last_number_ = file.number;
  files_.push_back({file, 0});
  ended_ = true;
}

void HistoryFiles::remove_oldest() {
  try {
    disk_.remove(path_of(files_.front().file));
  } catch (const DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) throw;
  }
  total_ -= files_.front().size;
  files_.pop_front();
}

// For so many more in the last file.
void HistoryFiles::make_room(std::uint64_t octets, const Limits& limits) {
  const std::uint64_t most = std::min(limits.keep.size.count, ceiling_.value_or(limits.keep.size.count));
  while (files_.size() > 1 && total_ + octets > most) remove_oldest();
}

// A file ends by its age, and where a clock was ahead, by the time when a later one was begun.
void HistoryFiles::remove_old(const Limits& limits, WallTime now) {
  const auto age = std::chrono::ceil<WallTime::duration>(file_age(limits));
  WallTime later = WallTime::max();
  std::size_t old = 0;
  for (std::size_t i = files_.size(); i-- > 0;) {
    const WallTime begun = files_[i].file.begun;
    const bool is_old = std::min(begun + age, later) + limits.keep.keep < now;
    if (is_old || limits.keep.keep.count() == 0) old = std::max(old, i + 1);
    later = std::min(later, begun);
  }
  for (; old > 0; --old) remove_oldest();
}

void HistoryFiles::trim(const Limits& limits, WallTime now) {
  if (!looked_) {
    const std::vector<std::string> names = disk_.list(".");
    if (std::ranges::find(names, history_folder) == names.end()) return;  // there never was one
    look();
  }
  remove_old(limits, now);
  make_room(0, limits);
}

}  // namespace relayd
