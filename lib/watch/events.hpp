// Events: tells whoever has the page open how the relay stands, as it changes (server-sent events of HTML).
//
// Beside the path; owned by Web. While somebody follows, it looks once a second, and makes one text for all
// of them: the whole, or what has changed. Who is slow misses texts, and then gets the whole. While nobody
// follows, it does nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <string>

#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/http/server.hpp"
#include "watch/series.hpp"
#include "watch/status.hpp"

namespace relayd::watch {

class Events {
 public:
  static constexpr std::size_t most_followers = 16;
  static constexpr Duration period = std::chrono::seconds(1);
  static constexpr Duration heartbeat = std::chrono::seconds(15);  // so long nothing is said at most

  // `ask`: how it stands. The series outlive this; each point of them is told, too.
  Events(async::Loop& loop, async::Workers& workers, std::function<async::Task<Status>()> ask,
         const Series& series);

  // Of too many the one that has followed longest goes. Returns when the client has gone, by async::IoError.
  async::Task<void> follow(http::Exchange& exchange);

 private:
  struct Follower {
    explicit Follower(http::Exchange& of) : exchange(of) {}
    http::Exchange& exchange;
    async::Event news;
    std::uint64_t seen = 0;    // the version that it has been told
    std::uint64_t points = 0;  // of the series, likewise
  };

  void drop_oldest();
  async::Task<void> look();
  async::Task<void> watch();

  async::Loop& loop_;
  async::Workers& workers_;
  std::function<async::Task<Status>()> ask_;
  const Series& series_;
  std::list<Follower> followers_;
  std::uint64_t version_ = 0;  // of what follows; 0: there is none yet
  nlohmann::json document_;
  std::string whole_;         // as one event
  std::string change_;        // from the version before
  std::uint64_t points_ = 0;  // of the series, that followers were woken for
  SteadyTime said_{};         // when followers were woken last
  bool watching_ = false;
  async::Scope scope_;
};

}  // namespace relayd::watch
