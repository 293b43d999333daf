// HistoryBook: what becomes of messages, kept in files for `relayd history`, also after they have left.
//
// Owned by the relay; a subscriber of its Publisher. Each event becomes a line (tell/history.hpp) in memory;
// a worker appends the lines to the files (history_files.hpp) when there are many, or after a second. Nothing
// is synced, and mail waits for none of it: where the disk fails or does not keep up, lines wait, up to two
// megabytes and what an event has beyond; those after that are dropped and counted, and the log says so once.
// A kill loses a second of lines at most, an orderly end none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/history_files.hpp"
#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/config/config.hpp"
#include "shared/disk/disk.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/history.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class HistoryBook {
 public:
  HistoryBook(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
              const config::Config& config);

  // The queue's directory is held. Makes what it needs there; blocks: start-up only.
  void open();
  // How much is kept from now on. Whether addresses are masked changes with the next start, as in the log.
  void use(const config::Config& config);
  // What the Publisher shall tell it; for as long as this lives.
  tell::Subscriber subscriber();

  // All lines up to this call are in the files, or the log says why not.
  async::Task<void> flush();
  // Nothing is written any more; what is under way comes to its end.
  void shut_down();
  // No worker has anything of this any more: it may be destroyed.
  async::Task<void> drained() { return scope_.drained(); }

 private:
  template <class News>
  void take(const News& news);
  bool on() const { return limits_.keep.keep.count() > 0; }
  async::Task<void> turn_over();
  async::Task<void> begin_turn();
  void end_turn();
  void arrange();
  async::Task<void> write();
  async::Task<void> look_after();
  void heed(const std::string& failure);
  void open_key();

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  const bool masked_;
  std::string key_;  // of the hashes of masked addresses
  HistoryFiles::Limits limits_;
  HistoryFiles files_;       // a worker's, while `writing_`
  std::string gathered_;     // lines
  std::string outgoing_;     // those that are being written, or could not be
  std::uint64_t taken_ = 0;  // octets of lines, ever
  std::uint64_t done_ = 0;   // of those: written, or given up
  bool opened_ = false;
  bool stopping_ = false;
  bool writing_ = false;
  std::vector<async::Event*> waiting_;  // for the end of that
  bool failed_ = false;                 // the last write
  bool troubled_ = false;               // and the log has said so
  std::uint64_t lost_ = 0;              // lines, in this trouble
  async::Timer timer_;
  async::Timer upkeep_;
  async::Scope scope_;
};

}  // namespace relayd
