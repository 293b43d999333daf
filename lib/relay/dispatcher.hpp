// Dispatcher: takes what is due from the queue, finds the line of its route, and settles what came of it.
//
// Joins queue, route, send and settle. Owned by the relay. The route is computed at every attempt from the
// present configuration.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "relay/give_up.hpp"
#include "relay/health.hpp"
#include "relay/lanes.hpp"
#include "relay/lines.hpp"
#include "relay/quota_book.hpp"
#include "relay/setup.hpp"
#include "send/lane.hpp"
#include "settle/decision.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/outcome.hpp"

namespace relayd {

class Dispatcher final : public send::Desk {
 public:
  // The second subscriber (the demo); the log is the first.
  using Observer = std::function<void(const tell::Outcome&)>;

  Dispatcher(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
             async::Dialer& dialer, queue::Queue& queue, const Setup& setup);

  // Reads what quotas are used up. Blocks: start-up only, once the queue is open.
  void open() { quotas_.open(); }
  void use(const Setup& setup);
  void observe(Observer observer) { observer_ = std::move(observer); }

  // Where the queue's on_due leads.
  void dispatch(queue::Message& message);

  // Ends the pause of every lane that the message may take: it is tried at once.
  void clear_way(const queue::Message& message);

  // For the operator.
  std::vector<std::string> steer(const std::string& upstream, const std::string& account, bool stops);
  const Lanes& lanes() const { return lanes_; }
  const Lines& lines() const { return lines_; }
  std::size_t being_given_up() const { return give_up_.under_way(); }

  void shut_down();
  void abort();
  async::Task<void> drained();

  // send::Desk
  bool waits(const send::Lane& lane) override;
  std::optional<send::Ticket> next(send::Lane& lane, std::uint64_t most) override;
  void changed(send::Lane& lane) override;
  bool misses(const send::Lane& lane) override;
  void knocked(send::Lane& lane, const send::Report& report,
               const std::optional<send::Event>& failed) override;
  async::Task<std::unique_ptr<send::Delivery>> load(send::Lane& lane, send::Ticket ticket) override;
  void settle(send::Lane& lane, std::uint64_t message, const send::Delivery& delivery,
              const send::Report& report) override;
  void give_back(std::uint64_t message) override;
  void turned_down(send::Lane& lane, std::uint64_t message) override;

 private:
  struct Settlement;

  std::span<const route::Choice> choices_for(const queue::Message& message,
                                             std::span<const route::Choice> choices) const;
  std::uint32_t share_of(const queue::Message& message, const LaneEntry& lane) const;
  bool takes_doubtful(const queue::Message& message, std::string_view upstream) const;
  std::unique_ptr<send::Delivery> make_delivery(const LaneEntry& lane, queue::Message& message,
                                                queue::Content content, std::uint32_t recipients);
  settle::Decision decide(const Settlement& settlement) const;
  bool another_may_take(const Settlement& settlement) const;
  void record(const Settlement& settlement, settle::Decision& decision);
  void tell_of(const Settlement& settlement, const send::RecipientEvent& entry,
               const settle::RecipientDecision& recipient, Duration age);
  void treat_lane(const Settlement& settlement, const settle::Decision& decision);
  bool is_expired(queue::Message& message);
  bool clock_was_wrong(const queue::Message& message) const;
  void expire(queue::Message& message);
  void defer_unroutable(queue::Message& message);
  SteadyTime end_of_life(const queue::Message& message) const;
  void watch_clock();

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  Setup setup_;
  Observer observer_;
  GiveUp give_up_;
  QuotaBook quotas_;
  Health health_;
  Lanes lanes_;
  Lines lines_;
  std::optional<WallTime::duration> clock_offset_;  // of the wall clock, when it was looked at last
  bool stopping_ = false;
};

}  // namespace relayd
