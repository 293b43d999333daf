#include "fuzz/targets.hpp"
#include "relay/site_book.hpp"
#include "shared/disk/whole_file.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd::fuzz {

namespace {

// One process: what it found, it leaves.
std::string run(disk::Disk& disk) {
  test::ManualLoop loop;
  test::QuietLog log;
  async::Workers workers{loop, 1};
  SiteBook book(loop, workers, disk, log);
  book.open();
  route::Upstream office;
  office.name = "office";
  office.endpoints = {{587, smtp::TlsMode::starttls}, {465, smtp::TlsMode::implicit}};
  SiteEntry site(loop);
  site.use(office);
  book.recall(site);
  demand(site.take_endpoint(loop.now()) < site.ports.size(), "a port is one of those configured");
  demand(site.ceiling() > 0, "a connection may be made");
  demand(!site.ahead.is_lost(loop.now() + std::chrono::hours(168)), "a loss holds for a week at most");
  for (const auto& [cap, entry] : site.learnt.entries())
    demand(entry.most > 0 && entry.until <= loop.now() + send::Learnt::named_holds,
           "a cap leaves something and holds for a day at most");
  demand(!site.offer(loop.now() + SiteEntry::offer_holds), "an offer holds for an hour at most");
  test::run_task(book.flush(), &loop);
  return disk::read_whole(disk, "sites.json");
}

}  // namespace

void sites(std::string_view input) {
  test::ForgettingDisk disk;
  disk.create("sites.json")->write_at(0, input);
  const std::string left = run(disk);
  demand(run(disk) == left, "what is written is read as it was meant");
}

}  // namespace relayd::fuzz
