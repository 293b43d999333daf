// SuppressionBook: who is suppressed, over restarts. A file, suppressed.csv, in the queue's directory.
//
// Owned by the relay; asked at RCPT, told of each outcome, and the operator's through the admin socket. What
// is new is on disk a second later: a crash forgets at most that. The file has the rows of
// tell/suppression.hpp below their header; what changes is appended, a later row of the same recipient and
// sender counts instead of an earlier one, one that ends in 1970 takes it away, and now and then all of it is
// written anew.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/shared_run.hpp"
#include "shared/async/workers.hpp"
#include "shared/config/config.hpp"
#include "shared/disk/disk.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"
#include "tell/suppression.hpp"
#include "watch/suppress.hpp"

namespace relayd {

class SuppressionBook final : public watch::SuppressionDesk {
 public:
  SuppressionBook(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
                  const tell::Publisher& publisher, std::size_t limit = tell::SuppressionList::most)
      : loop_(loop),
        workers_(workers),
        disk_(disk),
        log_(log),
        publisher_(publisher),
        list_(limit),
        timer_(loop),
        sweeping_(loop) {}

  // Reads what an earlier process left. Blocks; on any thread, before anything else is asked. A file that
  // cannot be read is set aside, and what is sound of it counts; open(), on the loop's thread, tells so.
  void load();
  void open();
  // Nothing: nobody is remembered, and nobody refused.
  void use(const std::optional<config::Suppress>& terms) { terms_ = terms; }

  bool on() const { return terms_.has_value(); }

  // Remembers whom outcomes suppress; for as long as this lives.
  tell::Subscriber subscriber();
  // The answer to RCPT; nothing: the recipient is not suppressed for this sender. Tells the log.
  std::optional<smtp::Reply> refusal(std::string_view sender, std::string_view recipient) const;

  std::size_t size() const { return list_.size(); }

  // watch::SuppressionDesk
  const tell::SuppressionList& list() const override { return list_; }
  std::optional<std::chrono::seconds> keep() const override;
  async::Task<void> add(const std::vector<tell::Suppression>& entries) override;
  async::Task<std::size_t> remove(const std::string& recipient,
                                  const std::optional<std::string>& sender) override;
  async::Task<std::string> flush() override;

 private:
  struct Writing {
    std::string text;
    bool whole = true;
  };

  void hear(const tell::Outcome& outcome);
  void read_rows(std::string_view text);
  void set_aside(const std::string& reason);
  void put(const tell::Suppression& entry);
  void take_away(const std::string& sender, const std::string& recipient);
  void touch();
  void sweep_later();
  async::Task<void> sweep();
  async::Task<Writing> next_writing();
  std::string write(const Writing& writing) const;
  async::Task<void> save();
  // Lets other work in.
  async::Task<void> breathe() { return async::sleep_until(loop_, loop_.now()); }

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  const tell::Publisher& publisher_;
  std::optional<config::Suppress> terms_;
  tell::SuppressionList list_;
  std::string pending_;  // rows that are on no disk yet
  std::size_t pending_rows_ = 0;
  bool whole_ = true;                // the file is not ours, or its end is in doubt
  std::size_t rows_ = 0;             // of the file as it was last written anew
  std::size_t appended_ = 0;         // since
  std::vector<std::string> damage_;  // what load() found, to be told
  bool untouchable_ = false;         // the file can be neither read nor set aside: it stays as it is
  bool told_full_ = false;
  async::SharedRun writing_;
  std::string failure_;  // of the last write; empty: none
  async::Timer timer_;
  async::Timer sweeping_;
  async::Scope scope_;
};

}  // namespace relayd
