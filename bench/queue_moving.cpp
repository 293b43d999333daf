// queue_moving DIRECTORY [MESSAGES]: what commits wait for while old messages move together.
//
// Two of three waiting messages are deleted, so that files with a third of what they had have to be emptied.
// Their pages are not cached, and each sync takes 2 ms more, as on a common disk. Needs 6 KiB a message in
// DIRECTORY. README.md says what is measured.
#include <fmt/format.h>
#include <stdio.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <string>
#include <vector>

#include "measure.hpp"
#include "rig.hpp"

namespace relayd::bench {
namespace {

constexpr auto sync_delay = std::chrono::milliseconds(2);
constexpr auto measured = std::chrono::seconds(3);
constexpr std::size_t body_size = 4 << 10;
constexpr std::size_t clients = 8;
constexpr std::size_t one_stays_of = 3;

using SteadyClock = std::chrono::steady_clock;
using queue::RecipientState;
using queue::RecordType;

async::Task<void> commit_share(Rig& rig, const std::string& body, std::size_t& left) {
  while (left > 0) {
    --left;
    co_await rig.commit(body);
  }
}

async::Task<void> flush(Rig& rig) {
  co_await rig.queue->flush();
}

async::Task<void> commit_until(Rig& rig, const std::string& body, SteadyTime end,
                               std::vector<Duration>& latencies) {
  for (SteadyTime begun = SteadyClock::now(); begun < end; begun = SteadyClock::now()) {
    co_await rig.commit(body);
    latencies.push_back(SteadyClock::now() - begun);
  }
}

void fill(const std::string& directory, std::size_t messages) {
  Rig rig(directory);
  rig.queue->on_due(
      [&rig](queue::Message& message) { rig.queue->settle(message, rig.outcome(RecipientState::pending)); });
  const std::string body = example_body(body_size);
  for (std::size_t i = 0; i < 4 * clients; ++i) rig.spawn(commit_share(rig, body, messages));
  rig.run();
}

// Commits for a while, each delivered at once; a line with how long they took, and how much moved meanwhile.
void measure(Rig& rig, const char* what) {
  std::vector<Duration> latencies;
  const std::string body = example_body(body_size);
  const SteadyTime begun = SteadyClock::now();
  const std::uint64_t written = rig.disk.counts().of(RecordType::message);
  for (std::size_t i = 0; i < clients; ++i) rig.spawn(commit_until(rig, body, begun + measured, latencies));
  rig.run();
  const std::uint64_t moved = rig.disk.counts().of(RecordType::message) - written - latencies.size();
  fmt::print("  {:<10} {:>8.0f}/s {:>8.2f} {:>8.2f} {:>8.2f} ms {:>10} moved\n", what,
             static_cast<double>(latencies.size()) / since(begun), seconds(percentile(latencies, 0.5)) * 1e3,
             seconds(percentile(latencies, 0.99)) * 1e3, seconds(percentile(latencies, 1)) * 1e3, moved);
}

void run(const std::string& directory, std::size_t messages) {
  fill(directory, messages);
  forget_cached(directory);
  Rig rig(directory, sync_delay);
  rig.queue->on_due([&rig](queue::Shipment& message) {
    rig.queue->settle(message, rig.outcome(RecipientState::delivered));
  });
  fmt::print("  {} clients    commits      p50      p99  slowest\n", clients);
  measure(rig, "before");
  std::vector<queue::Message*> old;
  rig.queue->for_each([&old](queue::Message& message) {
    if (message.state == queue::MessageState::waiting) old.push_back(&message);
  });
  for (std::size_t i = 0; i < old.size(); ++i)
    if (i % one_stays_of != 0) rig.queue->remove(*old[i]);
  rig.spawn(flush(rig));
  rig.run();
  for (int i = 0; i < 3; ++i) measure(rig, "moving");
}

}  // namespace
}  // namespace relayd::bench

int main(int argc, char** argv) {
  using namespace relayd::bench;
  if (argc < 2 || argc > 3) {
    fmt::print(stderr, "usage: queue_moving DIRECTORY [MESSAGES]\n");
    return 64;
  }
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    fmt::print("{}\n", machine());
    run(std::string(argv[1]) + "/queue", argc > 2 ? std::stoul(argv[2]) : 400'000);
    fmt::print("load at the end {:.1f}\n", load());
  } catch (const std::exception& error) {
    fmt::print(stderr, "queue_moving: {}\n", error.what());
    return 1;
  }
}
