#include "relay/quota_book.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "shared/config/limit.hpp"
#include "shared/disk/whole_file.hpp"

namespace relayd {

using async::Task;
using nlohmann::json;
using send::Allowance;
using send::Tally;

namespace {

constexpr const char* file_name = "quotas.json";
constexpr const char* first_line = R"({"format":2})";
constexpr Duration delay = std::chrono::seconds(1);
// So many lines more than the file had are appended to it before it is written anew.
constexpr std::size_t lines_more = 100;

// One that we wrote: neither negative nor a fraction. Throws json::exception.
std::uint64_t count_of(const json& number) {
  return number.get_ref<const json::number_unsigned_t&>();
}

WallTime time_of(const json& number) {
  constexpr auto latest = static_cast<std::uint64_t>(WallTime::max().time_since_epoch().count());
  return WallTime(std::chrono::microseconds(std::min(count_of(number), latest)));
}

// Format 1: an array, one count an account. It does not say of which period: it is read as a day's, and
// handed to the configured quota as soon as that is known.
Allowance::Record record_of_format_1(const json& entry) {
  return {{1, config::Quota::Period::day}, {{time_of(entry.at("since")), count_of(entry.at("used"))}}};
}

Allowance::Record record_of(const json& entry) {
  const Result<config::Quota> quota = config::parse_quota(entry.at("quota").get<std::string>());
  if (!quota) throw json::other_error::create(501, quota.error(), &entry);
  Allowance::Record record{*quota, {}};
  for (const json& used : entry.at("used"))
    record.entries.push_back({time_of(used.at(0)), count_of(used.at(1))});
  return record;
}

json describe(const Allowance::Record& record) {
  json used = json::array();
  for (const Tally::Entry& entry : record.entries)
    used.push_back({entry.time.time_since_epoch().count(), entry.count});
  return {{"quota", to_string(record.quota)}, {"used", std::move(used)}};
}

}  // namespace

void QuotaBook::open() {
  try {
    const std::string text = disk::read_whole(disk_, file_name);
    if (!text.starts_with('[')) return read_lines(text);
    for (const json& entry : json::parse(text))
      of_account(entry.at("upstream"), entry.at("username"))->restore(record_of_format_1(entry));
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory)
      log_.warning("quotas_lost", {{"reason", error.what()}});
  } catch (const json::exception& error) {
    log_.warning("quotas_lost", {{"reason", error.what()}});
  }
}

// A line that makes no sense costs what it held; at the end it was cut short by a crash, and never promised.
void QuotaBook::read_lines(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  if (line != first_line)
    return log_.warning("quotas_lost", {{"reason", "quotas.json is none that this relayd reads"}});
  while (std::getline(lines, line)) {
    try {
      read_line(line);
    } catch (const json::exception& error) {
      if (lines.peek() != std::istringstream::traits_type::eof())
        log_.warning("quotas_lost", {{"reason", error.what()}});
    }
  }
}

void QuotaBook::read_line(const std::string& line) {
  const json entry = json::parse(line);
  auto allowance = std::make_shared<Allowance>();
  for (const json& quota : entry.at("quotas")) allowance->restore(record_of(quota));
  Key key{entry.at("upstream"), std::nullopt};
  if (entry.contains("username")) key.second = entry["username"].get<std::string>();
  allowances_[key] = std::move(allowance);
}

std::shared_ptr<Allowance> QuotaBook::find(const Key& key) {
  std::shared_ptr<Allowance>& allowance = allowances_[key];
  if (!allowance) allowance = std::make_shared<Allowance>();
  return allowance;
}

void QuotaBook::touch() {
  changed_ = true;
  if (!timer_.armed() && scope_.count() == 0) save_soon();
}

void QuotaBook::save_soon() {
  timer_.at(loop_.now() + delay, [this] { scope_.spawn(save()); });
}

// All that counts, or what has changed, also to nothing.
QuotaBook::Writing QuotaBook::next_writing() {
  Writing writing{{}, whole_ || appended_ > lines_ + lines_more};
  std::size_t lines = 0;
  for (const auto& [key, allowance] : allowances_) {
    const bool changed = allowance->take_changed();
    if (!writing.whole && !changed) continue;
    json entry = {{"upstream", key.first}, {"quotas", json::array()}};
    if (key.second) entry["username"] = *key.second;
    for (const Allowance::Record& record : allowance->records(loop_.wall_now()))
      entry["quotas"].push_back(describe(record));
    if (writing.whole && entry["quotas"].empty()) continue;
    writing.text += entry.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
    ++lines;
  }
  if (writing.whole) writing.text.insert(0, std::string(first_line) + '\n');
  if (writing.whole) lines_ = lines;
  appended_ = writing.whole ? 0 : appended_ + lines;
  return writing;
}

// On a helper thread. Empty: done; else why not.
std::string QuotaBook::write(const Writing& writing) const {
  try {
    if (!writing.whole) {
      const std::unique_ptr<disk::File> file = disk_.open(file_name);
      file->write_at(file->size(), writing.text);
      file->sync_data();
      return {};
    }
    disk::write_whole(disk_, file_name, writing.text);
  } catch (const disk::DiskError& error) {
    return error.what();
  }
  return {};
}

Task<void> QuotaBook::save() {
  changed_ = false;
  const Writing writing = next_writing();
  const std::string failure = co_await workers_.run([this, &writing] { return write(writing); });
  whole_ = !failure.empty();
  if (failure.empty()) {
    if (changed_) save_soon();
    co_return;
  }
  changed_ = true;  // tried again with the next use, or at the end
  log_.warning("quotas_not_written", {{"reason", failure}});
}

Task<void> QuotaBook::flush() {
  timer_.cancel();
  co_await scope_.drained();
  timer_.cancel();
  if (changed_) co_await save();
}

}  // namespace relayd
