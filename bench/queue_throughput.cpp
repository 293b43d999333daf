// queue_throughput DIRECTORY: durable commits a second, against what the disk can do, and what doubt costs.
//
// Needs about 2 GiB in DIRECTORY for a while. README.md says what is compared with what.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <exception>
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "measure.hpp"
#include "rig.hpp"

namespace relayd::bench {
namespace {

constexpr auto measured = std::chrono::milliseconds(1000);  // each run
constexpr int rounds = 3;                                   // interleaved; medians are shown
constexpr std::size_t sizes[] = {4 << 10, 50 << 10};
constexpr std::size_t clients[] = {1, 8, 32, 128};
constexpr std::size_t segment = 64 << 20;
constexpr auto common_delay = std::chrono::milliseconds(2);  // of a sync, on a disk that is not this one
constexpr std::size_t most_written = 1 << 30;                // in one run, to a fresh queue

struct Run {
  double rate = 0;  // messages a second
  Duration p50{}, p99{};
  double per_sync = 0;  // messages
  Duration cpu{};       // a message, all threads
};

struct Samples {
  std::vector<double> rates, p50s, p99s, per_syncs, cpus;  // a round each; times in microseconds

  void add(const Run& run) {
    rates.push_back(run.rate);
    p50s.push_back(seconds(run.p50) * 1e6);
    p99s.push_back(seconds(run.p99) * 1e6);
    per_syncs.push_back(run.per_sync);
    cpus.push_back(seconds(run.cpu) * 1e6);
  }
};

using SteadyClock = std::chrono::steady_clock;
constexpr auto delivered = queue::RecipientState::delivered;

// --- the disk alone ---

// A zero-filled file of a segment's size, written from its beginning to its end and again.
class RawFile {
 public:
  RawFile(const std::string& path, Duration sync_delay)
      : sync_delay_(sync_delay), file_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) {
    const std::string zeros(1 << 20, '\0');
    for (std::size_t at = 0; at < segment; at += zeros.size())
      if (::pwrite(file_.number(), zeros.data(), zeros.size(), static_cast<off_t>(at)) < 0) fail();
    if (::fsync(file_.number()) != 0) fail();
  }

  void append(const std::vector<iovec>& records) {
    std::size_t bytes = 0;
    for (const iovec& record : records) bytes += record.iov_len;
    if (end_ + bytes > segment) end_ = 0;
    const ssize_t written =
        ::pwritev(file_.number(), records.data(), static_cast<int>(records.size()), static_cast<off_t>(end_));
    if (written != static_cast<ssize_t>(bytes) || ::fdatasync(file_.number()) != 0) fail();
    if (sync_delay_ > Duration::zero()) std::this_thread::sleep_for(sync_delay_);
    end_ += bytes;
  }

 private:
  [[noreturn]] static void fail() { throw std::system_error(errno, std::generic_category(), "the raw file"); }

  const Duration sync_delay_;
  disk::Descriptor file_;
  std::size_t end_ = 0;
};

Run run_raw(RawFile& file, std::size_t body, std::size_t batch) {
  std::string record(record_size(body), 'x');
  const std::vector<iovec> records(batch, iovec{record.data(), record.size()});
  std::vector<Duration> latencies;
  const SteadyTime begun = SteadyClock::now();
  for (SteadyTime now = begun; now < begun + measured;) {
    file.append(records);
    const SteadyTime end = SteadyClock::now();
    latencies.push_back(end - now);
    now = end;
  }
  Run run;
  run.rate = static_cast<double>(latencies.size() * batch) / since(begun);
  run.p50 = percentile(latencies, 0.5);
  run.p99 = percentile(latencies, 0.99);
  return run;
}

// --- the queue ---

struct Client {
  Rig& rig;
  const std::string& body;
  SteadyTime end;
  std::size_t messages;  // at most
  std::vector<Duration>& latencies;
};

async::Task<void> commit_many(Client client) {
  for (std::size_t i = 0; i < client.messages; ++i) {
    const SteadyTime begun = SteadyClock::now();
    if (begun >= client.end) co_return;
    co_await client.rig.commit(client.body);
    client.latencies.push_back(SteadyClock::now() - begun);
  }
}

Run run_commits(Rig& rig, std::size_t body_size, std::size_t count) {
  const std::string body = example_body(body_size);
  std::vector<Duration> latencies;
  const std::uint64_t syncs = rig.disk.counts().syncs;
  const Duration cpu = cpu_time();
  const SteadyTime begun = SteadyClock::now();
  for (std::size_t i = 0; i < count; ++i)
    rig.spawn(commit_many({rig, body, begun + measured, most_written / body_size / count, latencies}));
  rig.run();
  const auto messages = static_cast<double>(latencies.size());
  Run run;
  run.rate = messages / since(begun);
  run.p50 = percentile(latencies, 0.5);
  run.p99 = percentile(latencies, 0.99);
  run.per_sync = messages / static_cast<double>(rig.disk.counts().syncs - syncs);
  run.cpu = (cpu_time() - cpu) / static_cast<Duration::rep>(latencies.size());
  return run;
}

// Every message is delivered as soon as it is due, so that the journal goes round in the files it has.
void deliver_at_once(Rig& rig) {
  rig.queue->on_due([&rig](queue::Shipment& message) { rig.queue->settle(message, rig.outcome(delivered)); });
}

void warm_up(Rig& rig) {
  for (int i = 0; i < 2; ++i) run_commits(rig, sizes[1], 32);
}

// --- doubt ---

// Hands each message that is due to the client that committed it; what nobody asked for is delivered.
class Handover {
 public:
  explicit Handover(Rig& rig) : rig_(rig) {
    rig.queue->on_due([this](queue::Shipment& message) {
      const auto client = waiting_.find(message.id);
      if (client == waiting_.end()) return rig_.queue->settle(message, rig_.outcome(delivered));
      async::Slot<queue::Message*>& slot = *client->second;
      waiting_.erase(client);
      slot.put(&message);
    });
  }
  ~Handover() { deliver_at_once(rig_); }

  void expect(queue::MessageId id, async::Slot<queue::Message*>& slot) { waiting_[id] = &slot; }

 private:
  Rig& rig_;
  std::map<queue::MessageId, async::Slot<queue::Message*>*> waiting_;
};

async::Task<void> cycle_many(Client client, Handover& handover, bool with_doubt) {
  Rig& rig = client.rig;
  for (SteadyTime begun = SteadyClock::now(); begun < client.end; begun = SteadyClock::now()) {
    const queue::MessageId id = co_await rig.commit(client.body);
    async::Slot<queue::Message*> due;
    handover.expect(id, due);
    queue::Message* const message = co_await due;
    if (with_doubt) co_await rig.queue->mark_in_doubt(*message, "mailgun", {}, rig.loop.wall_now());
    rig.queue->settle(*message, rig.outcome(delivered));
    client.latencies.push_back(SteadyClock::now() - begun);
  }
}

struct CycleSamples : Samples {
  std::vector<double> syncs, records;  // a message
};

void run_cycles(Rig& rig, std::size_t count, bool with_doubt, CycleSamples& samples) {
  const std::string body = example_body(sizes[0]);
  Handover handover(rig);
  std::vector<Duration> latencies;
  const std::uint64_t syncs = rig.disk.counts().syncs, records = rig.disk.counts().all_records();
  const SteadyTime begun = SteadyClock::now();
  for (std::size_t i = 0; i < count; ++i)
    rig.spawn(cycle_many({rig, body, begun + measured, 0, latencies}, handover, with_doubt));
  rig.run();
  const auto messages = static_cast<double>(latencies.size());
  Run run;
  run.rate = messages / since(begun);
  run.p50 = percentile(latencies, 0.5);
  run.p99 = percentile(latencies, 0.99);
  samples.add(run);
  samples.syncs.push_back(static_cast<double>(rig.disk.counts().syncs - syncs) / messages);
  samples.records.push_back(static_cast<double>(rig.disk.counts().all_records() - records) / messages);
}

// --- the tables ---

struct Row {
  Samples raw, fresh, steady;
};

void print_row(std::size_t size, std::size_t count, const Row& row) {
  const double raw = median(row.raw.rates);
  const double steady = median(row.steady.rates), fresh = median(row.fresh.rates);
  fmt::print("{:>2} KiB {:>8} | {:>7.0f} {:>8.0f} | {:>7.0f} {:>4.0f}% {:>7.0f} {:>7.0f} {:>9.1f} {:>7.1f} ",
             size >> 10, count, raw, median(row.raw.p50s), steady, 100 * steady / raw,
             median(row.steady.p50s), median(row.steady.p99s), median(row.steady.per_syncs),
             median(row.steady.cpus));
  fmt::print("| {:>7.0f} {:>4.0f}% {:>7.0f} {:>7.0f}\n", fresh, 100 * fresh / raw, median(row.fresh.p50s),
             median(row.fresh.p99s));
}

void measure_commits(const std::string& directory, Duration sync_delay) {
  std::map<std::pair<std::size_t, std::size_t>, Row> rows;
  for (int round = 0; round < rounds; ++round) {
    Rig steady(directory + "/steady", sync_delay);
    deliver_at_once(steady);
    warm_up(steady);
    RawFile raw(directory + "/raw", sync_delay);
    for (const std::size_t size : sizes) {
      for (const std::size_t count : clients) {
        Row& row = rows[{size, count}];
        row.raw.add(run_raw(raw, size, count));
        row.steady.add(run_commits(steady, size, count));
        Rig fresh(directory + "/fresh", sync_delay);
        row.fresh.add(run_commits(fresh, size, count));
        std::filesystem::remove_all(directory + "/fresh");
      }
    }
    fmt::print("round {} of {} done, load {:.1f}\n", round + 1, rounds, load());
  }
  fmt::print(
      "\n                |  the disk alone  |             each delivered at once               |  nothing "
      "leaves\n"
      "  size  clients |   msg/s   p50 us |   msg/s ratio  p50 us  p99 us  per sync  cpu us |   msg/s ratio  "
      "p50 us  p99 us\n");
  for (const auto& [key, row] : rows) print_row(key.first, key.second, row);
}

void measure_doubt(const std::string& directory) {
  std::map<std::pair<std::size_t, bool>, CycleSamples> rows;
  Rig rig(directory + "/doubt");
  deliver_at_once(rig);
  warm_up(rig);
  for (int round = 0; round < rounds; ++round)
    for (const std::size_t count : {1, 32})
      for (const bool with_doubt : {false, true})
        run_cycles(rig, count, with_doubt, rows[{count, with_doubt}]);
  fmt::print(
      "\ncommit, [in doubt,] settle; 4 KiB\nclients  in doubt | messages/s  syncs/message  records/message  "
      "p50 us  p99 us\n");
  for (const auto& [key, row] : rows)
    fmt::print("{:>7}  {:>8} | {:>10.0f} {:>14.3f} {:>16.2f} {:>7.0f} {:>7.0f}\n", key.first,
               key.second ? "yes" : "no", median(row.rates), median(row.syncs), median(row.records),
               median(row.p50s), median(row.p99s));
}

}  // namespace
}  // namespace relayd::bench

int main(int argc, char** argv) {
  using namespace relayd::bench;
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc != 2) {
    fmt::print(stderr, "usage: queue_throughput DIRECTORY\n");
    return 64;
  }
  try {
    fmt::print("{}\n", machine());
    fmt::print("\nThis disk\n");
    measure_commits(argv[1], {});
    fmt::print("\nThis disk, each sync {} ms slower\n", common_delay.count());
    measure_commits(argv[1], common_delay);
    measure_doubt(argv[1]);
    fmt::print("\nload at the end {:.1f}\n", load());
  } catch (const std::exception& error) {
    fmt::print(stderr, "queue_throughput: {}\n", error.what());
    return 1;
  }
}
