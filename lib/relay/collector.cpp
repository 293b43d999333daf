#include "relay/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "accept/rules.hpp"
#include "drop/name.hpp"

namespace relayd {

using async::Task;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr auto pause = seconds(10);             // for what nobody told us of
constexpr auto pause_in_trouble = seconds(30);  // the queue's disk is full, or the like
constexpr auto first_delay = seconds(30);       // of a file; each is twice the one before
constexpr auto longest_delay = minutes(15);
constexpr std::size_t delays_limit = 10'000;       // beyond, one is forgotten, and its file tried sooner
constexpr auto patience_with_writers = hours(24);  // a whole message is written in seconds
constexpr auto between_looks = milliseconds(250);
constexpr auto tidy_every = hours(1);
constexpr auto count_every = minutes(1);
constexpr int most_cuts = 10;  // then others have a turn
constexpr std::size_t names_at_once = 1000;
constexpr int most_listings = 10;  // then all else has its turn

// Doubled dots, the head: what the session will count is less than what the file has.
Bytes file_limit(Bytes message_size) {
  return {2 * message_size.count + (1_MiB).count};
}

// Whether some unix socket takes mail of this user without a login. Where there is no such socket, anybody
// may leave mail who can write to the folder.
bool may_leave(const std::vector<config::Listener>& listeners, uid_t owner) {
  const std::string client = fmt::format("uid:{}", owner);
  bool any = false;
  for (const config::Listener& listener : listeners) {
    if (listener.unix_path.empty() && listener.allow_uids.empty()) continue;
    if (!accept::check_client(listener, client, false, false)) return true;
    any = true;
  }
  return !any;
}

// It would meet any file. What else goes wrong with one may be its owner's doing, and stops no other.
bool is_of_the_machine(const std::system_error& error) {
  const int code = error.code().value();
  return code == EMFILE || code == ENFILE || code == ENOMEM || code == EIO || code == EROFS || code == ENOSPC;
}

// It is the relay that can take nothing, or nothing so large (RFC 3463 3.4).
bool is_trouble_of_ours(const smtp::Reply& refusal) {
  return refusal.enhanced.subject == 3;
}

}  // namespace

Collector::Collector(accept::Surroundings around, drop::Folder folder,
                     const std::shared_ptr<const config::Config>& config, const drop::Allowance& allowance)
    : around_(around), folder_(std::move(folder)), allowance_(allowance), timer_(around.loop) {
  around_.stands_errors = true;
  listener_.address = "drop";
  use(config);
  scope_.spawn(run());
}

void Collector::use(const std::shared_ptr<const config::Config>& config) {
  // A file cannot keep the rest for later: as many recipients as a writer puts into one are always taken.
  auto ours = std::make_shared<config::Config>(*config);
  ours->limits.recipients = std::max(ours->limits.recipients, drop::recipients_limit);
  config_ = std::move(ours);
}

Task<void> Collector::run() {
  while (!stopping_) {
    news_ = false;
    co_await collect();
    if (stopping_) break;
    looked_ = around_.loop.now();
    const Duration wait = patient_ ? pause_in_trouble : news_ ? Duration(between_looks) : pause;
    timer_.at(looked_ + wait, [this] { wake_.set(); });
    co_await wake_;
    timer_.cancel();
  }
}

void Collector::look() {
  if (std::exchange(news_, true) || patient_ || !wake_.has_waiter()) return;
  timer_.at(std::max(around_.loop.now(), looked_ + between_looks), [this] { wake_.set(); });
}

void Collector::watch(net::AsioLoop& loop, const std::string& directory) {
  watch_ = std::make_unique<net::DirectoryWatch>(loop, directory, drop::is_name, [this] { look(); });
}

void Collector::shut_down() {
  stopping_ = true;
  if (wake_.has_waiter()) wake_.set();
}

void Collector::abort() {
  if (session_) session_->abort();
}

Task<drop::Listing> Collector::list() {
  const SteadyTime now = around_.loop.now();
  std::erase_if(delays_, [now](const auto& entry) { return entry.second.due + longest_delay < now; });
  std::set<std::string> still_there;
  const auto not_now = [this, now, &still_there](const std::string& name) {
    if (finished_.contains(name)) {
      still_there.insert(name);
      return true;
    }
    const auto delayed = delays_.find(name);
    return delayed != delays_.end() && delayed->second.due > now;
  };
  drop::Listing listing = co_await around_.workers.run(
      [this, &not_now] { return folder_.list(names_at_once, not_now, first_owner_); });
  finished_ = std::move(still_there);
  first_owner_ = listing.next;
  co_return listing;
}

Task<void> Collector::collect() {
  patient_ = false;
  full_ = false;
  in_trouble_.clear();
  try {
    co_await tidy();
    bool more = true;
    for (int listings = 0; more && !stopping_ && listings < most_listings; ++listings) {
      const drop::Listing listing = co_await list();
      const std::size_t gone = co_await take_all(listing.names);
      more = !listing.whole && gone > 0;
    }
    news_ = news_ || more;
    co_await keep_to_allowance();
  } catch (const std::system_error& error) {
    around_.log.warning("drop_trouble", {{"reason", error.what()}});
    patient_ = true;
  }
}

// How many of them are out of the way.
Task<std::size_t> Collector::take_all(const std::vector<std::string>& names) {
  std::size_t gone = 0;
  for (const std::string& name : names) {
    if (stopping_) break;
    const bool out_of_the_way = co_await take(name);
    if (out_of_the_way) ++gone;
  }
  co_return gone;
}

// More than is removed at once is removed with the next look.
Task<void> Collector::tidy() {
  if (tidied_ != SteadyTime::min() && around_.loop.now() < tidied_ + tidy_every) co_return;
  tidied_ = around_.loop.now();
  const WallTime now = around_.loop.wall_now();
  const WallTime oldest = now - patience_with_writers;
  const WallTime kept = now - config_->queue.keep_failed;
  const std::vector<std::string> unfinished =
      co_await around_.workers.run([this, oldest] { return folder_.remove_old(drop::Kind::begun, oldest); });
  for (const std::string& name : unfinished)
    around_.log.warning("drop_removed", {{"file", name}, {"reason", "it was never finished"}});
  const std::vector<std::string> refused =
      co_await around_.workers.run([this, kept] { return folder_.remove_old(drop::Kind::set_aside, kept); });
  for (const std::string& name : refused)
    around_.log.warning("drop_removed", {{"file", name}, {"reason", "it was refused, and kept long enough"}});
  if (!unfinished.empty() || !refused.empty()) tidied_ = SteadyTime::min();
}

// What one user leaves must not fill the disk. Of what waits it is for what was tried and refused for now;
// all counts where the disk is full, and nothing where the relay has another reason to take nothing.
Task<void> Collector::keep_to_allowance() {
  if (around_.loop.now() < counted_ + count_every) co_return;
  counted_ = around_.loop.now();
  drop::Allowance allowance = allowance_;
  allowance.octets = std::max(allowance.octets, file_limit(config_->limits.message_size));
  for (const drop::Kind kind : {drop::Kind::waiting, drop::Kind::begun, drop::Kind::set_aside}) {
    if (kind == drop::Kind::waiting && patient_ && !full_) continue;
    uid_t owner = 0;
    for (int cuts = 0;; ++cuts) {
      const std::optional<drop::Excess> excess = co_await around_.workers.run(
          [this, kind, &allowance, owner] { return folder_.excess(kind, allowance, owner); });
      if (!excess || stopping_) break;
      if (cuts == most_cuts) {
        counted_ = SteadyTime::min();
        break;
      }
      const std::size_t gone = co_await cut_down(kind, *excess, allowance);
      owner = gone > 0 ? excess->owner - 1 : excess->owner;  // he may have even more
    }
  }
}

// How many are out of the way.
Task<std::size_t> Collector::cut_down(drop::Kind kind, const drop::Excess& excess,
                                      const drop::Allowance& allowance) {
  const std::string reason =
      fmt::format("uid {} has more than {} files or {} octets of this kind in the folder", excess.owner,
                  allowance.files, allowance.octets.count);
  std::size_t gone = 0;
  if (kind == drop::Kind::waiting) {
    for (const std::string& name : excess.names) {
      if (!full_ && !delays_.contains(name)) continue;  // its turn has not come
      co_await set_aside(name, reason);
      ++gone;
    }
    co_return gone;
  }
  gone = co_await around_.workers.run([this, &excess] { return folder_.remove_all(excess.names); });
  if (gone > 0) around_.log.warning("drop_removed", {{"files", gone}, {"reason", reason}});
  co_return gone;
}

// True: it is out of the way.
Task<bool> Collector::take(std::string name) {
  const Bytes limit = file_limit(config_->limits.message_size);
  try {
    Result<drop::File> file =
        co_await around_.workers.run([this, &name, limit] { return folder_.open(name, limit); });
    if (!file) {
      co_await set_aside(name, file.error());
      co_return true;
    }
    if (in_trouble_.contains(file->owner)) co_return false;
    if (!may_leave(config_->listeners, file->owner)) {
      co_await set_aside(name, fmt::format("uid {} may use no unix: listener without a login", file->owner));
      co_return true;
    }
    const bool gone = co_await hand_over(name, std::move(*file));
    co_return gone;
  } catch (const std::system_error& error) {
    delay(name);  // the next look begins with another
    if (is_of_the_machine(error)) throw;
    around_.log.warning("drop_trouble", {{"file", name}, {"reason", error.what()}});
  }
  co_return false;
}

Task<bool> Collector::hand_over(const std::string& name, drop::File file) {
  const uid_t owner = file.owner;
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
    delay(name);
    const bool ours = is_trouble_of_ours(outcome.refusal);
    patient_ = patient_ || ours;
    full_ = full_ || outcome.refusal.enhanced == smtp::EnhancedCode{4, 3, 1};
    if (ours) in_trouble_.insert(owner);  // others may have smaller mail
    co_return false;
  }
  co_return true;
}

void Collector::delay(const std::string& name) {
  if (delays_.size() >= delays_limit) delays_.erase(delays_.begin());
  Delay& delay = delays_[name];
  delay.length = std::clamp<Duration>(2 * delay.length, first_delay, longest_delay);
  delay.due = around_.loop.now() + delay.length;
}

Task<void> Collector::set_aside(const std::string& name, std::string reason) {
  finished_.insert(name);
  const std::string now_called =
      co_await around_.workers.run([this, &name] { return folder_.set_aside(name); });
  finished_.erase(name);
  delays_.erase(name);
  if (now_called.empty()) co_return;
  around_.log.warning("drop_refused", {{"file", now_called}, {"was", name}, {"reason", reason}});
}

Task<void> Collector::remove(const std::string& name) {
  finished_.insert(name);
  const bool removed = co_await around_.workers.run([this, &name] { return folder_.remove(name); });
  if (!removed) co_await set_aside(name, "it was taken, and a directory has its name now");
  finished_.erase(name);
  delays_.erase(name);
}

std::unique_ptr<Collector> make_collector(net::AsioLoop& loop, accept::Surroundings around,
                                          const std::shared_ptr<const config::Config>& config) {
  const std::string path = config->drop_directory();
  const auto warn = [&around](const std::string& reason) {
    around.log.warning("drop_trouble", {{"reason", reason}});
  };
  std::unique_ptr<Collector> collector;
  try {
    std::error_code ignored;
    if (config->queue.drop.empty() && !std::filesystem::exists(path, ignored)) return nullptr;
    drop::Folder folder(path);
    if (const std::string weakness = folder.weakness(); !weakness.empty())
      warn(fmt::format("{}: {}", path, weakness));
    collector = std::make_unique<Collector>(around, std::move(folder), config);
    collector->watch(loop, path);
  } catch (const std::system_error& error) {
    warn(error.what());  // without a watch it still looks now and then
  }
  return collector;
}

}  // namespace relayd
