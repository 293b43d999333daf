#include "relay/webhook_spool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "shared/disk/whole_file.hpp"
#include "shared/telemetry/text.hpp"

namespace relayd {

using disk::DiskError;
using nlohmann::json;
using tell::WebhookBatch;

namespace {

constexpr std::uint64_t parts = 16;
constexpr std::uint64_t unlikely_number = std::uint64_t{1} << 62;
constexpr std::string_view ending = ".jsonl";
// Of which a request is made; as many lines as fit into one, and more.
constexpr std::size_t read_at_once = tell::longest_webhook_body + tell::longest_webhook_event;

std::optional<std::uint64_t> number_of(std::string_view name) {
  std::uint64_t number = 0;
  if (!name.ends_with(ending)) return std::nullopt;
  name.remove_suffix(ending.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number >= unlikely_number)
    return std::nullopt;
  return number;
}

// When it happened, as text; nothing: it is no event of ours.
std::optional<std::string> time_of(std::string_view line) {
  const json event = json::parse(line, nullptr, false);
  if (!event.is_object() || !event.contains("id")) return std::nullopt;
  const auto time = event.find("timestamp");
  if (time == event.end() || !time->is_string()) return std::nullopt;
  return time->get<std::string>();
}

std::string text_of(WallTime time) {
  std::string text;
  telemetry::append_time(text, time);
  return text;
}

WallTime time_at(const json& number) {
  return WallTime(std::chrono::microseconds(number.get<std::int64_t>()));
}

std::int64_t count_of(WallTime time) {
  return time.time_since_epoch().count();
}

void remove_if_there(disk::Disk& disk, const std::string& path) {
  try {
    disk.remove(path);
  } catch (const DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) throw;
  }
}

}  // namespace

std::string WebhookSpool::path_of(std::uint64_t number) const {
  return fmt::format("{}/{:010}{}", folder_, number, ending);
}

// --- what an earlier process left ---

void WebhookSpool::make_directory() {
  disk_.make_directory(webhooks_folder);
  disk_.sync_directory(".");
  disk_.make_directory(folder_);
  disk_.sync_directory(webhooks_folder);
}

void WebhookSpool::look() {
  if (looked_) return;
  make_directory();
  read_cursor();
  files_.clear();
  for (const std::string& name : disk_.list(folder_))
    if (const std::optional<std::uint64_t> number = number_of(name)) files_.push_back({*number});
  std::ranges::sort(files_, {}, &File::number);
  last_number_ = std::max(cursor_.file, files_.empty() ? 0 : files_.back().number);
  for (; !files_.empty() && files_.front().number < cursor_.file; files_.pop_front())
    remove_if_there(disk_, path_of(files_.front().number));
  for (File& file : files_) file.size = disk_.open(path_of(file.number))->size();
  check_cursor();
  looked_ = true;
  count();
}

// One that points between no two lines is damaged: what it stands in is told again.
void WebhookSpool::check_cursor() {
  if (files_.empty() || cursor_.offset == 0 || cursor_.file != files_.front().number) return;
  char before = '\0';
  const bool is_in = cursor_.offset <= files_.front().size;
  if (is_in) disk_.open(path_of(cursor_.file))->read_at(cursor_.offset - 1, &before, 1);
  if (before != '\n') cursor_.offset = cursor_.batch = 0;
}

// Without one, or with one that makes no sense, all is told again.
void WebhookSpool::read_cursor() {
  cursor_ = {};
  try {
    const json object = json::parse(disk::read_whole(disk_, folder_ + "/cursor"));
    Cursor read;
    read.file = object.at("file").get<std::uint64_t>();
    read.offset = object.at("offset").get<std::uint64_t>();
    read.batch = object.at("batch").get<std::uint64_t>();
    read.trouble = {object.at("tries").get<unsigned>(), time_at(object.at("since")),
                    time_at(object.at("next")), object.at("failure").get<std::string>()};
    if (read.file < unlikely_number) cursor_ = std::move(read);
  } catch (const DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) throw;
  } catch (const json::exception&) {
  }
}

void WebhookSpool::save_cursor() {
  if (!changed_) return;
  const json object = {{"file", cursor_.file},
                       {"offset", cursor_.offset},
                       {"batch", cursor_.batch},
                       {"tries", cursor_.trouble.tries},
                       {"since", count_of(cursor_.trouble.since)},
                       {"next", count_of(cursor_.trouble.next)},
                       {"failure", cursor_.trouble.failure}};
  disk::write_whole(disk_, folder_ + "/cursor", object.dump(-1, ' ', false, json::error_handler_t::replace));
  disk_.sync_directory(folder_);
  changed_ = false;
}

void WebhookSpool::count() {
  std::uint64_t sum = 0;
  for (const File& file : files_) sum += file.size;
  const bool begun = !files_.empty() && files_.front().number == cursor_.file;
  waiting_ = sum - (begun ? std::min(cursor_.offset, files_.front().size) : 0);
}

// --- in ---

// After a failure the file is left as it is: what it has of these lines may yet come to the disk. One that
// has nothing else goes, as a full disk fails often.
void WebhookSpool::append(std::string_view lines, Bytes size) {
  const std::lock_guard lock(mutex_);
  look();
  make_room(lines.size(), size);
  if (disk_.free_space().count < least_free_.count + lines.size())
    throw DiskError(ENOSPC, std::generic_category(), "free space is below half of the reserve");
  if (current_ && files_.back().size >= size.count / parts) current_.reset();
  if (!current_) {
    std::unique_ptr<disk::File> fresh = disk_.create(path_of(++last_number_));
    disk_.sync_directory(folder_);
    files_.push_back({last_number_});
    current_ = std::move(fresh);
  }
  std::unique_ptr<disk::File> file = std::move(current_);
  try {
    file->write_at(files_.back().size, lines);
    file->sync_data();
  } catch (const DiskError&) {
    if (files_.back().size == 0) leave_last();
    throw;
  }
  files_.back().size += lines.size();
  current_ = std::move(file);
  count();
}

void WebhookSpool::leave_last() {
  const std::string path = path_of(files_.back().number);
  files_.pop_back();
  try {
    disk_.remove(path);
  } catch (const DiskError&) {  // a later start looks at it
  }
}

// --- out ---

// What follows the cursor in the first file.
std::string WebhookSpool::read(std::size_t most) {
  const File& first = files_.front();
  if (cursor_.offset >= first.size) return {};
  std::string text(std::min<std::uint64_t>(most, first.size - cursor_.offset), '\0');
  text.resize(disk_.open(path_of(first.number))->read_at(cursor_.offset, text.data(), text.size()));
  return text;
}

// The first file was told, or cannot be read any further. It goes before the cursor says so: a full disk has
// no room for a cursor, and one that points to no file means the first.
void WebhookSpool::leave_first() {
  const std::uint64_t number = files_.front().number;
  if (current_ && number == last_number_) current_.reset();
  files_.pop_front();
  cursor_.file = number + 1;
  cursor_.offset = cursor_.batch = 0;
  changed_ = true;
  remove_if_there(disk_, path_of(number));
}

// The lines at the beginning that are told to nobody. True: there was one.
bool WebhookSpool::pass_over(std::string_view& lines, const std::string& oldest) {
  const std::size_t end = lines.find('\n');
  if (end == std::string_view::npos) return false;
  const std::optional<std::string> time = time_of(lines.substr(0, end));
  if (time && *time >= oldest) return false;
  if (time) ++dropped_;
  lines.remove_prefix(end + 1);
  cursor_.offset += end + 1;
  cursor_.batch = 0;
  changed_ = true;
  return true;
}

std::optional<WebhookBatch> WebhookSpool::next(bool taken, WallTime now) {
  const std::lock_guard lock(mutex_);
  look();
  if (taken && handed_out_) {
    cursor_.offset += std::exchange(cursor_.batch, 0);
    changed_ = true;
  }
  handed_out_ = false;
  const std::string oldest =
      text_of(now - std::chrono::duration_cast<std::chrono::microseconds>(webhook_keep));
  std::optional<WebhookBatch> batch;
  while (!batch && !files_.empty()) {
    if (cursor_.file != files_.front().number) cursor_ = {files_.front().number, 0, 0, cursor_.trouble};
    if (cursor_.offset >= files_.front().size && files_.size() == 1 && current_) break;
    const std::string text = read(read_at_once);
    std::string_view lines = std::string_view(text).substr(0, text.rfind('\n') + 1);
    if (lines.empty() && text.size() == read_at_once) {  // no line of ours is as long
      cursor_.offset += text.size();
      cursor_.batch = 0;
      changed_ = true;
      continue;
    }
    if (lines.empty()) {
      leave_first();
      continue;
    }
    while (pass_over(lines, oldest)) {
    }
    if (lines.empty()) continue;
    if (cursor_.batch > 0 && cursor_.batch <= lines.size() && lines[cursor_.batch - 1] == '\n')
      lines = lines.substr(0, cursor_.batch);
    std::size_t sound = 0;
    for (std::size_t end = 0; (end = lines.find('\n', sound)) != std::string_view::npos; sound = end + 1)
      if (!time_of(lines.substr(sound, end - sound))) break;
    batch = tell::make_webhook_batch(lines.substr(0, sound));
    changed_ |= cursor_.batch != batch->octets;
    cursor_.batch = batch->octets;
  }
  save_cursor();
  count();
  handed_out_ = batch.has_value();
  return batch;
}

// --- room ---

void WebhookSpool::make_room(std::uint64_t octets, Bytes size) {
  const auto total = [this] {
    std::uint64_t sum = 0;
    for (const File& file : files_) sum += file.size;
    return sum;
  };
  // Neither the one that is being told nor the one that is appended to.
  for (std::size_t i = 1; i + 1 < files_.size() && total() + octets > size.count; ++i)
    if (!files_[i].thinned) thin(files_[i]);
  while (!files_.empty() && total() + octets > size.count) drop_first();
}

void WebhookSpool::thin(File& file) {
  const std::string path = path_of(file.number);
  const std::string all = disk::read_whole(disk_, path).substr(0, file.size);
  std::string kept;
  std::uint64_t gone = 0;
  for (std::string_view rest = all; !rest.empty();) {
    const std::string_view line = rest.substr(0, std::min(rest.find('\n'), rest.size() - 1) + 1);
    rest.remove_prefix(line.size());
    if (tell::is_superseded(line))
      ++gone;
    else
      kept += line;
  }
  if (gone > 0) {
    disk::write_whole(disk_, path, kept);
    disk_.sync_directory(folder_);
    file.size = kept.size();
    dropped_ += gone;
  }
  file.thinned = true;
}

void WebhookSpool::drop_first() {
  const File& first = files_.front();
  const std::uint64_t from = first.number == cursor_.file ? cursor_.offset : 0;
  const std::string text = disk::read_whole(disk_, path_of(first.number)).substr(0, first.size);
  const std::string_view untold = std::string_view(text).substr(std::min<std::uint64_t>(from, text.size()));
  const auto lines = static_cast<std::uint64_t>(std::ranges::count(untold, '\n'));
  leave_first();
  dropped_ += lines;
}

// --- the receiver ---

WebhookSpool::Trouble WebhookSpool::trouble() {
  const std::lock_guard lock(mutex_);
  look();
  return cursor_.trouble;
}

void WebhookSpool::note(Trouble trouble) {
  const std::lock_guard lock(mutex_);
  look();
  if (cursor_.trouble == trouble) return;
  cursor_.trouble = std::move(trouble);
  changed_ = true;
  save_cursor();
}

// --- receivers that are not configured any more ---

// Whoever looks for the next request removes what is too old.
void tidy_spools(disk::Disk& disk, const std::vector<std::string>& known, WallTime now) {
  try {
    for (const std::string& name : disk.list(webhooks_folder)) {
      if (std::ranges::find(known, name) != known.end()) continue;
      const std::string folder = fmt::format("{}/{}", webhooks_folder, name);
      if (!WebhookSpool(disk, folder).next(false, now)) remove_if_there(disk, folder + "/cursor");
    }
  } catch (const DiskError&) {
  }
}

}  // namespace relayd
