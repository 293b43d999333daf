#include "fuzz/targets.hpp"
#include "relay/quota_book.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd::fuzz {

namespace {

constexpr const char* file_name = "quotas.json";

std::string read(disk::Disk& disk) {
  const std::unique_ptr<disk::File> file = disk.open(file_name);
  std::string text(file->size(), '\0');
  text.resize(file->read_at(0, text.data(), text.size()));
  return text;
}

// One process: what it found, it leaves.
std::string run(disk::Disk& disk) {
  test::ManualLoop loop;
  async::Workers workers(loop, 1);
  test::QuietLog log;
  QuotaBook book(loop, workers, disk, log);
  book.open();
  const std::shared_ptr<send::Allowance> allowance = book.of_account("office", "relay");
  const config::Quota a_span{100, config::Quota::Period::sliding, std::chrono::hours(24)};
  allowance->use({{100, config::Quota::Period::day}, a_span}, loop.wall_now());
  demand(allowance->left(loop.wall_now()) <= 100, "nobody has more left than his quota");
  for (const send::Allowance::Standing& standing : allowance->standings(loop.wall_now()))
    demand(standing.eases_at > loop.wall_now(), "a period ends");
  book.touch();
  test::run_task(book.flush(), &loop);
  return read(disk);
}

}  // namespace

void quotas(std::string_view input) {
  test::ForgettingDisk disk;
  disk.create(file_name)->write_at(0, input);
  const std::string left = run(disk);
  demand(run(disk) == left, "what is written is read as it was meant");
}

}  // namespace relayd::fuzz
