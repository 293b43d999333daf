// queue_scale DIRECTORY [MESSAGES]: a queue in which a million messages of 4 KiB wait.
//
// Each part runs in a process of its own, so that what it holds in memory is its own. Needs about 6 GiB in
// DIRECTORY. README.md says what is measured.
#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "measure.hpp"
#include "rig.hpp"

namespace relayd::bench {
namespace {

constexpr std::size_t body_size = 4 << 10;
constexpr std::size_t clients = 32;
constexpr std::size_t one_stays_of = 100;
constexpr auto accepting = std::chrono::seconds(5);
constexpr auto idling = std::chrono::seconds(10);
constexpr auto resting =
    std::chrono::seconds(7);  // without a write; longer than Upkeep waits to replace large files

using SteadyClock = std::chrono::steady_clock;
using queue::RecipientState;
using queue::RecordType;

struct Place {
  std::string directory;
  std::size_t messages;
};

double gib(Bytes bytes) {
  return static_cast<double>(bytes.count) / (1 << 30);
}

double memory_of_one(Bytes before, std::size_t messages) {
  return static_cast<double>(resident().count - before.count) / static_cast<double>(messages);
}

template <class... Arguments>
void say(std::string_view what, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print("  {:<34} {}\n", what, fmt::format(format, std::forward<Arguments>(arguments)...));
}

// --- clients ---

// All clients together commit what is left.
async::Task<void> commit_share(Rig& rig, const std::string& body, std::size_t& left) {
  while (left > 0) {
    --left;
    co_await rig.commit(body);
  }
}

async::Task<void> commit_until(Rig& rig, const std::string& body, SteadyTime end, std::size_t& done) {
  for (; SteadyClock::now() < end; ++done) co_await rig.commit(body);
}

async::Task<void> wait(Rig& rig, Duration duration) {
  co_await async::sleep_until(rig.loop, rig.loop.now() + duration);
}

async::Task<void> wait_for_outcomes(Rig& rig, std::size_t count) {
  while (rig.disk.counts().of(RecordType::outcome) < count) co_await wait(rig, std::chrono::milliseconds(5));
}

// Until nothing has been written for a while; `last` becomes when something was.
async::Task<void> wait_for_rest(Rig& rig, SteadyTime& last) {
  std::uint64_t written = 0;
  while (SteadyClock::now() - last < resting) {
    const std::uint64_t now = rig.disk.counts().bytes;
    if (std::exchange(written, now) != now) last = SteadyClock::now();
    co_await wait(rig, std::chrono::milliseconds(20));
  }
}

// --- the parts ---

// The upstream is down: every message is tried once and deferred for an hour.
void fill(const Place& place) {
  const Bytes before = resident();
  Rig rig(place.directory);
  rig.queue->on_due(
      [&rig](queue::Message& message) { rig.queue->settle(message, rig.outcome(RecipientState::pending)); });
  const std::string body = example_body(body_size);
  const SteadyTime begun = SteadyClock::now();
  for (std::size_t done = 0; done < place.messages;) {
    const std::size_t portion = std::min(place.messages / 10 + 1, place.messages - done);
    std::size_t left = portion;
    for (std::size_t i = 0; i < clients; ++i) rig.spawn(commit_share(rig, body, left));
    rig.run();
    done += portion;
    fmt::print("    {} accepted after {:.0f} s\n", done, since(begun));
  }
  rig.spawn(wait_for_outcomes(rig, place.messages));
  rig.run();
  const DiskCounts& counts = rig.disk.counts();
  const std::uint64_t others = counts.all_records() - counts.of(RecordType::message);
  say("accepted, tried and deferred", "{:.0f} messages/s",
      static_cast<double>(place.messages) / since(begun));
  say("memory, since the start", "{:.0f} B a message", memory_of_one(before, place.messages));
  say("records of a deferred attempt", "{:.3f}",
      static_cast<double>(others) / static_cast<double>(counts.of(RecordType::outcome)));
  say("on disk", "{:.2f} GiB", gib(disk_used(place.directory)));
}

void say_start(const Rig& rig, const char* how) {
  const double took = seconds(rig.recovery.took);
  say(fmt::format("start, {}", how), "{:.2f} s for {} messages, {:.2f} GiB read, {:.2f} GiB/s", took,
      rig.recovery.messages, gib(rig.recovery.read), gib(rig.recovery.read) / took);
}

void start_cold(const Place& place) {
  forget_cached(place.directory);
  const Rig rig(place.directory);
  say_start(rig, "nothing cached");
}

void walk(Rig& rig) {
  SteadyTime begun = SteadyClock::now();
  const std::size_t found = rig.queue->ids().size();
  say("all ids", "{:.3f} s for {}", since(begun), found);
  begun = SteadyClock::now();
  std::uint64_t octets = 0;
  rig.queue->for_each([&octets](const queue::Message& message) { octets += message.size; });
  say("all messages, by id", "{:.3f} s", since(begun));
}

void idle(Rig& rig) {
  const Duration cpu = cpu_time();
  rig.spawn(wait(rig, idling));
  rig.run();
  say("CPU while nothing is due", "{:.4f} s in {} s", seconds(cpu_time() - cpu), idling.count());
}

void accept_more(Rig& rig) {
  rig.queue->on_due([&rig](queue::Shipment& message) {
    rig.queue->settle(message, rig.outcome(RecipientState::delivered));
  });
  const std::string body = example_body(body_size);
  std::size_t done = 0;
  const SteadyTime begun = SteadyClock::now();
  for (std::size_t i = 0; i < clients; ++i) rig.spawn(commit_until(rig, body, begun + accepting, done));
  rig.run();
  say("accepted and delivered meanwhile", "{:.0f} messages/s", static_cast<double>(done) / since(begun));
}

void live(const Place& place) {
  const Bytes before = resident();
  Rig rig(place.directory);
  say_start(rig, "cached");
  say("memory, after a start", "{:.0f} B a message", memory_of_one(before, rig.recovery.messages));
  walk(rig);
  idle(rig);
  accept_more(rig);
}

// The upstream is back, and the operator says so: all are tried again, and one of a hundred is deferred.
void deliver(const Place& place) {
  Rig rig(place.directory);
  std::size_t tried = 0;
  rig.queue->on_due([&](queue::Shipment& message) {
    const bool stays = tried++ % one_stays_of == 0;
    rig.queue->settle(message, rig.outcome(stays ? RecipientState::pending : RecipientState::delivered));
  });
  const Bytes used = disk_used(place.directory);
  const SteadyTime begun = SteadyClock::now();
  rig.queue->for_each([&rig](queue::Message& message) { rig.queue->retry(message); });
  say("memory, all to be retried", "{:.0f} MiB", static_cast<double>(resident().count) / (1 << 20));
  rig.spawn(wait_for_outcomes(rig, rig.recovery.messages));
  rig.run();
  say("retried, 99 of 100 delivered", "{:.0f} messages/s",
      static_cast<double>(rig.recovery.messages) / since(begun));
  const SteadyTime settled = SteadyClock::now();
  SteadyTime last = settled;
  rig.spawn(wait_for_rest(rig, last));
  rig.run();
  say("until the journal is at rest", "{:.1f} s", seconds(last - settled));
  say("messages written again", "{}", rig.disk.counts().of(RecordType::message));
  say("memory at rest", "{:.0f} MiB", static_cast<double>(resident().count) / (1 << 20));
  say("on disk", "{:.2f} GiB before, {:.3f} GiB at rest, for {} messages", gib(used),
      gib(disk_used(place.directory)), rig.queue->totals().waiting);
}

void start_again(const Place& place) {
  const Rig rig(place.directory);
  say_start(rig, "after that");
}

// Runs a part in a child; false when it failed.
bool run_apart(void (*part)(const Place&), const Place& place) {
  ::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      part(place);
    } catch (const std::exception& error) {
      fmt::print(stderr, "queue_scale: {}\n", error.what());
      ::_exit(1);
    }
    ::fflush(stdout);
    ::_exit(0);
  }
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

}  // namespace
}  // namespace relayd::bench

int main(int argc, char** argv) {
  using namespace relayd::bench;
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: queue_scale DIRECTORY [MESSAGES]\n");
    return 64;
  }
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Place place{std::string(argv[1]) + "/queue", argc > 2 ? std::stoul(argv[2]) : 1'000'000};
  fmt::print("{}\n", machine());
  for (const auto part : {fill, start_cold, live, deliver, start_again})
    if (!run_apart(part, place)) return 1;
  fmt::print("load at the end {:.1f}\n", load());
}
