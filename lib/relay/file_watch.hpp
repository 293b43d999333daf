// FileWatch: notices that files have changed since they were read, also where a name or a link on the way to
// them leads elsewhere, or a missing one has come.
//
// Owned by the Reloader. The system's notices make it look at once; it looks every few seconds anyway, for
// what they do not tell (network file systems, a file that is mounted alone, no watch left). A file that is
// being written is given time to be whole.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/file_stamp.hpp"
#include "shared/net/directory_watch.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class FileWatch {
 public:
  using OnChange = std::function<void(const std::vector<std::string>& changed)>;

  static constexpr Duration interval = std::chrono::seconds(5);
  static constexpr Duration settle = std::chrono::milliseconds(500);  // without a further change
  static constexpr Duration longest_settle = std::chrono::seconds(5);

  // `on_change` is called once, until watch() says what was read then.
  FileWatch(net::AsioLoop& loop, async::Workers& workers, telemetry::Log& log, OnChange on_change)
      : loop_(loop), workers_(workers), log_(log), on_change_(std::move(on_change)), alarm_(loop) {}

  // These, as they were before they were read last.
  void watch(disk::FileStamps read);
  void close();
  bool busy() const { return looking_; }

 private:
  struct Look {
    disk::FileStamps stamps;
    disk::Places places;
  };

  void notice();
  void look_at(SteadyTime when);
  async::Task<void> look();
  bool follow(disk::Places places);
  void weigh(disk::FileStamps stamps);

  net::AsioLoop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  OnChange on_change_;
  async::Timer alarm_;
  disk::FileStamps read_;
  disk::FileStamps seen_;  // at the last look, where that differed; else empty
  SteadyTime first_seen_{};
  disk::Places places_;
  std::unique_ptr<net::DirectoryWatch> notices_;
  bool looking_ = false;
  bool news_ = false;     // since the present look began
  bool waiting_ = false;  // a change was told, and watch() has not followed
  bool closed_ = false;
  bool lacks_told_ = false;
  async::Scope scope_;
};

}  // namespace relayd
