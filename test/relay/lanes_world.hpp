// LanesWorld: the lanes of a configuration without a dispatcher, for tests of what stands beside them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "relay/dispatcher_fixture.hpp"
#include "relay/health.hpp"
#include "relay/lanes.hpp"

namespace relayd::test {

// There is no mail.
class EmptyDesk final : public send::Desk {
 public:
  bool waits(const send::Lane&) override { return false; }
  std::size_t waiting(const send::Lane&) override { return 0; }
  std::optional<send::Ticket> next(send::Lane&, std::uint64_t) override { return std::nullopt; }
  void changed(send::Lane&) override {}
  bool misses(const send::Lane&) override { return false; }
  void knocked(send::Lane&, const send::Report&, const std::optional<send::Event>&) override {}
  async::Task<std::unique_ptr<send::Delivery>> load(send::Lane&, send::Ticket) override { co_return nullptr; }
  bool holds(const send::Delivery&) override { return true; }
  void settle(send::Lane&, std::uint64_t, const send::Delivery&, const send::Report&) override {}
  bool concerns_lane(send::Lane&, const send::Report&) override { return false; }
  void give_back(std::uint64_t) override {}
  async::Task<void> note_site(send::Lane&) override { co_return; }
  void turned_down(send::Lane&, std::uint64_t) override {}
};

class LanesWorld : public DispatcherFixture {
 protected:
  void TearDown() override {
    lanes.reset();
    DispatcherFixture::TearDown();
  }
  // The configuration that `config` is now.
  void open() {
    setup = make_setup();
    lanes->use(setup.router);
    health.use(setup.config);
  }
  // The first of the rules that fit the sender.
  LaneEntry& lane(const std::string& sender = "a@example.org") {
    return lanes->lane_for(setup.router->route(sender).choices[0], sender);
  }
  Duration pause_of(const LaneEntry& entry) { return entry.paused_until() - loop.now(); }

  QuietLog log;
  disk::PosixDisk own_disk;
  EmptyDesk desk;
  QuotaBook book{loop, workers, own_disk, log};
  SiteBook site_book{loop, workers, own_disk, log};
  relayd::Setup setup;
  Health health{loop, log};
  std::unique_ptr<Lanes> lanes = std::make_unique<Lanes>(loop, workers, log, dialer, book, site_book, desk);
};

}  // namespace relayd::test
