#include "relay/reloader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

namespace relayd {

using async::Task;

namespace {

constexpr std::size_t most_named = 3;

// "a, b, c and 2 more"
std::string list(std::vector<std::string> files) {
  const std::size_t count = files.size();
  if (count > most_named) files.resize(most_named);
  const std::string more = count > most_named ? fmt::format(" and {} more", count - most_named) : "";
  return fmt::format("{}{}", fmt::join(files, ", "), more);
}

std::vector<std::string> texts(const std::vector<config::Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const config::Diagnostic& one : diagnostics) lines.push_back(config::to_string(one));
  return lines;
}

watch::Reload stopping() {
  return {.errors = {"relayd is stopping"}};
}

}  // namespace

Reloader::Reloader(net::AsioLoop& loop, telemetry::Log& log, Make make, Use use)
    : loop_(loop),
      log_(log),
      make_(std::move(make)),
      use_(std::move(use)),
      standing_{.loaded = loop.wall_now()},
      files_watch_(loop, workers_, log,
                   [this](const std::vector<std::string>& changed) {
                     if (running_) return;  // its end has the files looked at again
                     changed_ = changed;
                     request();
                   }),
      workers_(loop, 1) {}

void Reloader::watch(disk::FileStamps files) {
  files_ = std::move(files);
  files_watch_.watch(files_);
}

void Reloader::request() {
  wanted_ = true;
  if (!running_) scope_.spawn(run());
}

Task<watch::Reload> Reloader::reload() {
  Waiter waiter;
  waiters_.push_back(&waiter);
  request();
  watch::Reload result = co_await waiter;
  co_return result;
}

void Reloader::close() {
  closed_ = true;
  files_watch_.close();
}

Task<void> Reloader::run() {
  running_ = true;
  while (std::exchange(wanted_, false)) {
    const std::vector<Waiter*> waiters = std::exchange(waiters_, {});
    told_(true);
    const watch::Reload result = co_await once();
    told_(false);
    for (Waiter* const waiter : waiters) waiter->put(result);
  }
  running_ = false;
}

// The stamps are older than what was read, so a change meanwhile shows as one.
Task<watch::Reload> Reloader::once() {
  if (closed_) co_return stopping();
  const std::vector<std::string> changed = std::exchange(changed_, {});
  disk::FileStamps before = files_;
  SetupResult result = co_await workers_.run([this, &before] {
    for (auto& [path, stamp] : before) stamp = disk::file_stamp(path);
    return make_();
  });
  if (closed_) co_return stopping();
  watch::Reload reload{
      .taken = result.setup.has_value(), .errors = texts(result.errors), .warnings = texts(result.warnings)};
  if (reload.taken) {
    for (auto& [path, stamp] : result.files)
      if (const auto known = before.find(path); known != before.end()) stamp = known->second;
    reload.left = use_(std::move(*result.setup));
    log_.info("reloaded", {{"changed", list(changed)}, {"reason", reload.left}});
    standing_ = {.loaded = loop_.wall_now(), .taken = standing_.taken + 1, .refused = standing_.refused};
  } else {
    refuse(reload.errors);
    result.files.merge(before);  // those of the configuration in use
  }
  watch(std::move(result.files));
  co_return reload;
}

void Reloader::refuse(const std::vector<std::string>& errors) {
  for (const std::string& error : errors) log_.error("reload_failed", {{"reason", error}});
  standing_.failed = loop_.wall_now();
  standing_.reason = errors.empty() ? "" : errors.front();
  standing_.errors = errors.size();
  ++standing_.refused;
}

}  // namespace relayd
