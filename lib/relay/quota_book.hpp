// QuotaBook: how much of each account's quota is used, over restarts. A small file, quotas.json, beside the
// journal.
//
// Owned by the dispatcher; lanes share the quotas. What was used is on disk a second later, so that a crash
// forgets at most what the last second used: provider's own count is the one that binds.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "send/quota.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/disk.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class QuotaBook {
 public:
  QuotaBook(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log)
      : loop_(loop), workers_(workers), disk_(disk), log_(log), timer_(loop) {}

  // Reads what an earlier process left. Blocks: start-up only. A file that makes no sense is told and
  // forgotten.
  void open();

  // The quota of an account, the same one for the same names.
  std::shared_ptr<send::Quota> quota_of(const std::string& upstream, const std::string& username);

  // Something was used: it is written soon.
  void touch();
  // All of it is on disk, or the log says why not.
  async::Task<void> flush();

 private:
  using Key = std::pair<std::string, std::string>;

  std::string text() const;
  std::string write(const std::string& text) const;
  void save_soon();
  async::Task<void> save();

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  std::map<Key, std::shared_ptr<send::Quota>> quotas_;
  bool changed_ = false;  // since the text that was written last
  async::Timer timer_;
  async::Scope scope_;
};

}  // namespace relayd
