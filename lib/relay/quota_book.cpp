#include "relay/quota_book.hpp"

#include <nlohmann/json.hpp>

namespace relayd {

using async::Task;
using nlohmann::json;

namespace {

constexpr const char* file_name = "quotas.json";
constexpr const char* new_name = "quotas.json.new";
constexpr Duration delay = std::chrono::seconds(1);

// One that we wrote: neither negative nor a fraction. Throws json::exception.
std::uint64_t count_of(const json& number) {
  return number.get_ref<const json::number_unsigned_t&>();
}

std::string read_all(disk::Disk& disk) {
  const std::unique_ptr<disk::File> file = disk.open(file_name);
  std::string text(file->size(), '\0');
  text.resize(file->read_at(0, text.data(), text.size()));
  return text;
}

}  // namespace

void QuotaBook::open() {
  try {
    const json book = json::parse(read_all(disk_));
    for (const json& entry : book) {
      const WallTime since{std::chrono::microseconds(count_of(entry.at("since")))};
      quota_of(entry.at("upstream"), entry.at("username"))->restore(count_of(entry.at("used")), since);
    }
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory)
      log_.warning("quotas_lost", {{"reason", error.what()}});
  } catch (const json::exception& error) {
    log_.warning("quotas_lost", {{"reason", error.what()}});
  }
}

std::shared_ptr<send::Quota> QuotaBook::quota_of(const std::string& upstream, const std::string& username) {
  std::shared_ptr<send::Quota>& quota = quotas_[{upstream, username}];
  if (!quota) quota = std::make_shared<send::Quota>();
  return quota;
}

void QuotaBook::touch() {
  changed_ = true;
  if (!timer_.armed() && scope_.count() == 0) save_soon();
}

void QuotaBook::save_soon() {
  timer_.at(loop_.now() + delay, [this] { scope_.spawn(save()); });
}

std::string QuotaBook::text() const {
  json book = json::array();
  for (const auto& [key, quota] : quotas_) {
    // One without a limit may have it still to come: an account is not known before it is used.
    const bool is_over = quota->since() < loop_.wall_now() - send::Quota::longest_period;
    if (quota->counted() == 0 || is_over) continue;
    json entry;
    entry["upstream"] = key.first;
    entry["username"] = key.second;
    entry["used"] = quota->counted();
    entry["since"] = quota->since().time_since_epoch().count();
    book.push_back(std::move(entry));
  }
  return book.dump(1, ' ', false, json::error_handler_t::replace);
}

// On a helper thread. Empty: done; else why not.
std::string QuotaBook::write(const std::string& text) const {
  try {
    try {
      disk_.remove(new_name);  // of a process that was killed here
    } catch (const disk::DiskError& error) {
      if (error.code() != std::errc::no_such_file_or_directory) throw;
    }
    const std::unique_ptr<disk::File> file = disk_.create(new_name);
    file->write_at(0, text);
    file->sync_data();
    disk_.rename(new_name, file_name);
    disk_.sync_directory(".");
  } catch (const disk::DiskError& error) {
    return error.what();
  }
  return {};
}

Task<void> QuotaBook::save() {
  changed_ = false;
  const std::string book = text();
  const std::string failure = co_await workers_.run([this, &book] { return write(book); });
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
