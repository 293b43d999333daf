// SiteBook: what was learnt of each upstream's site, over restarts. A small file, sites.json, in the queue's
// directory.
//
// Owned by the dispatcher; read by Lanes when it makes a site. What is new is on disk a second later, and
// before anything risky is tried. The file has a line that names its format, then a line of JSON for each
// upstream. It is written anew as a whole: upstreams are few, and what is new is rare. Times in it are the
// wall clock's; one that lies ahead counts as now. Without the file, or with a wrong one, all is learnt
// again.
#pragma once

#include <map>
#include <string>

#include "relay/site_entry.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/shared_run.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/disk.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class SiteBook {
 public:
  SiteBook(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log)
      : loop_(loop), workers_(workers), disk_(disk), log_(log), timer_(loop) {}

  // Reads what an earlier process left. Blocks: start-up only. What makes no sense is told and forgotten.
  void open();
  // Tells a site what was known of it, if it still is where it was then.
  void recall(SiteEntry& site);

  // What is new of a site is written within a second, or at once.
  void note(SiteEntry& site);
  void note_at_once(SiteEntry& site);
  // It is on disk, or the log says why not.
  async::Task<void> keep(SiteEntry& site);
  async::Task<void> flush();

 private:
  void read_lines(const std::string& text);
  bool take_news(SiteEntry& site);
  async::Task<void> save();

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  std::map<std::string, std::string> lines_;  // by upstream
  bool changed_ = false;                      // since the text that was written last
  async::SharedRun writing_;
  async::Timer timer_;
  async::Scope scope_;
};

}  // namespace relayd
