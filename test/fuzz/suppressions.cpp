#include "fuzz/targets.hpp"
#include "relay/suppression_book.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd::fuzz {

namespace {

// One process on the disk: the rows that it finds, in an order of their own.
std::vector<std::string> run(disk::Disk& disk, bool adds) {
  test::ManualLoop loop;
  async::Workers workers(loop, 1);
  test::QuietLog log;
  const tell::Publisher publisher(log);
  SuppressionBook book(loop, workers, disk, log, publisher, 1000);
  book.load();
  book.open();
  if (adds) {
    const tell::Second now = std::chrono::floor<std::chrono::seconds>(loop.wall_now());
    const std::vector<tell::Suppression> entries = {
        {"a@b.example", "", now, now + std::chrono::hours(1), ""}};
    test::run_task(book.add(entries), &loop);
  }
  const std::string failure = test::run_task(book.flush(), &loop);
  demand(failure.empty(), "whatever lay there, what is new can be written");
  std::vector<std::string> rows;
  for (std::size_t slice = 0; slice < tell::SuppressionList::slices; ++slice)
    for (const tell::Suppression& entry : book.list().slice(slice))
      tell::append_row(rows.emplace_back(), entry);
  std::ranges::sort(rows);
  return rows;
}

}  // namespace

void suppressions(std::string_view input) {
  const tell::SuppressionRows read = tell::parse_suppressions(input, {{}, std::chrono::hours(1)});
  std::string text = std::string(tell::suppression_columns) + '\n';
  for (const tell::Suppression& entry : read.rows) tell::append_row(text, entry);
  if (read.faults.empty())
    demand(tell::parse_suppressions(text, {}).rows == read.rows, "what is exported is imported as it was");

  test::ForgettingDisk disk;
  disk.create("suppressed.csv")->write_at(0, input);
  const std::vector<std::string> left = run(disk, true);
  demand(run(disk, false) == left, "what is written is read as it was meant");
}

}  // namespace relayd::fuzz
