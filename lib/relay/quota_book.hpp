// QuotaBook: how much of each quota is used, and what went within the time of a rate, over restarts. A small
// file, quotas.json, in the queue's directory.
//
// Owned by the dispatcher; lanes share the allowances. What was used is on disk a second later, so that a
// crash forgets at most what the last second used: the provider's own count is the one that binds. The file
// has a line that names its format, then a line of JSON for each account, or for an upstream's total, which
// has no user name. What changes is appended, a later line of an account counts instead of an earlier one,
// and now and then all of it is written anew.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "send/allowance.hpp"
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

  // Reads what an earlier process left. Blocks: start-up only. What makes no sense is told and forgotten.
  void open();

  // The allowance of an account, the same one for the same names.
  std::shared_ptr<send::Allowance> of_account(const std::string& upstream, const std::string& username) {
    return find({upstream, username});
  }
  // That of an upstream, for all its accounts.
  std::shared_ptr<send::Allowance> of_upstream(const std::string& upstream) { return find({upstream, {}}); }

  // Something was used: it is written soon.
  void touch();
  // All of it is on disk, or the log says why not.
  async::Task<void> flush();

 private:
  using Key = std::pair<std::string, std::optional<std::string>>;
  // What is to be written.
  struct Writing {
    std::string text;
    bool whole = true;
  };

  std::shared_ptr<send::Allowance> find(const Key& key);
  void read_lines(const std::string& text);
  void read_line(const std::string& line);
  Writing next_writing();
  std::string write(const Writing& writing) const;
  void save_soon();
  async::Task<void> save();

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  std::map<Key, std::shared_ptr<send::Allowance>> allowances_;
  bool changed_ = false;      // since the text that was written last
  bool whole_ = true;         // the file is not ours, or its end is in doubt
  std::size_t lines_ = 0;     // of the file as it was last written anew
  std::size_t appended_ = 0;  // lines, since
  async::Timer timer_;
  async::Scope scope_;
};

}  // namespace relayd
