#include "relay/collector.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace relayd {

using async::Task;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

constexpr auto pause = seconds(10);                // for what nobody told us of
constexpr auto pause_after_refusal = seconds(30);  // the queue's disk is full, or the like
constexpr auto patience_with_writers = hours(24);  // a whole message is written in seconds
constexpr auto tidy_every = hours(1);
constexpr std::size_t names_at_once = 1000;

// Doubled dots, the head: what the session will count is less than what the file has.
Bytes file_limit(Bytes message_size) {
  return {2 * message_size.count + (1_MiB).count};
}

}  // namespace

Collector::Collector(accept::Surroundings around, drop::Folder folder,
                     std::shared_ptr<const config::Config> config)
    : around_(around), folder_(std::move(folder)), config_(std::move(config)), timer_(around.loop) {
  listener_.address = "drop";
  scope_.spawn(run());
}

Task<void> Collector::run() {
  while (!stopping_) {
    news_ = false;
    patient_ = co_await collect();
    if (stopping_) break;
    if (news_ && !patient_) continue;
    timer_.at(around_.loop.now() + (patient_ ? pause_after_refusal : pause), [this] { wake_.set(); });
    co_await wake_;
    timer_.cancel();
  }
}

void Collector::look() {
  news_ = true;
  if (!patient_ && wake_.has_waiter()) wake_.set();
}

void Collector::watch(net::AsioLoop& loop, const std::string& directory) {
  watch_ = std::make_unique<net::DirectoryWatch>(loop, directory, [this] { look(); });
}

void Collector::shut_down() {
  stopping_ = true;
  if (wake_.has_waiter()) wake_.set();
}

void Collector::abort() {
  if (session_) session_->abort();
}

// Runs on a worker.
std::vector<std::string> Collector::list() {
  std::vector<std::string> names = folder_.names(names_at_once);
  std::erase_if(names, [this](const std::string& name) { return finished_.contains(name); });
  return names;
}

// True: mail was refused for now, and so would be the rest.
Task<bool> Collector::collect() {
  try {
    co_await tidy();
    for (bool more = true; more && !stopping_;) {
      const std::vector<std::string> names = co_await around_.workers.run([this] { return list(); });
      more = names.size() == names_at_once;
      for (const std::string& name : names) {
        if (stopping_) co_return false;
        const bool refused = co_await take(name);
        if (refused) co_return true;
      }
    }
    co_return false;
  } catch (const std::system_error& error) {
    around_.log.warning("drop_trouble", {{"reason", error.what()}});
  }
  co_return true;
}

Task<void> Collector::tidy() {
  if (tidied_ != SteadyTime::min() && around_.loop.now() < tidied_ + tidy_every) co_return;
  tidied_ = around_.loop.now();
  const WallTime oldest = around_.loop.wall_now() - patience_with_writers;
  const std::vector<std::string> removed =
      co_await around_.workers.run([this, oldest] { return folder_.remove_unfinished(oldest); });
  for (const std::string& name : removed)
    around_.log.warning("drop_removed", {{"file", name}, {"reason", "it was never finished"}});
}

Task<bool> Collector::take(std::string name) {
  const Bytes limit = file_limit(config_->limits.message_size);
  Result<drop::File> file =
      co_await around_.workers.run([this, &name, limit] { return folder_.open(name, limit); });
  if (!file) {
    co_await set_aside(name, file.error());
    co_return false;
  }
  const bool refused = co_await hand_over(name, std::move(*file));
  co_return refused;
}

Task<bool> Collector::hand_over(const std::string& name, drop::File file) {
  BatchStream::Outcome outcome;
  {
    auto stream = std::make_unique<BatchStream>(around_.workers, std::move(file), config_->hostname, outcome);
    accept::Session session(around_, config_, listener_, std::move(stream));
    session_ = &session;
    co_await session.run();
    session_ = nullptr;
  }
  if (outcome.taken) {
    co_await remove(name);
  } else if (outcome.refusal.permanent()) {
    co_await set_aside(name, smtp::one_line(outcome.refusal));
  } else if (outcome.refusal.code == 0 && !stopping_) {
    if (outcome.fault.empty()) outcome.fault = "the message has no end";
    co_await set_aside(name, outcome.fault);
  } else {
    co_return true;
  }
  co_return false;
}

Task<void> Collector::set_aside(const std::string& name, std::string reason) {
  finished_.insert(name);
  const std::string now_called =
      co_await around_.workers.run([this, &name] { return folder_.set_aside(name); });
  finished_.erase(name);
  around_.log.warning("drop_refused", {{"file", now_called}, {"was", name}, {"reason", reason}});
}

Task<void> Collector::remove(const std::string& name) {
  finished_.insert(name);
  co_await around_.workers.run([this, &name] { folder_.remove(name); });
  finished_.erase(name);
}

std::unique_ptr<Collector> make_collector(net::AsioLoop& loop, accept::Surroundings around,
                                          std::shared_ptr<const config::Config> config) {
  const std::string path = config->drop_directory();
  const auto warn = [&around](const std::string& reason) {
    around.log.warning("drop_trouble", {{"reason", reason}});
  };
  std::unique_ptr<Collector> collector;
  try {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) {
      if (config->queue.drop.empty()) return nullptr;
      drop::make_folder(path);
    }
    drop::Folder folder(path);
    if (const std::string weakness = folder.weakness(); !weakness.empty())
      warn(fmt::format("{}: {}", path, weakness));
    collector = std::make_unique<Collector>(around, std::move(folder), std::move(config));
    collector->watch(loop, path);
  } catch (const std::system_error& error) {
    warn(error.what());  // without a watch it still looks now and then
  }
  return collector;
}

}  // namespace relayd
