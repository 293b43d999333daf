// Reporter: writes the reports that the queue owes (Queue::debt) and delay warnings, and queues them like any
// mail.
//
// Beside the last stage of the path: joins queue and tell. Owned by the relay. What is owed, and that it was
// written, is the queue's to remember; here are only times. Recipients of a message who fail within some
// seconds share a report. A few are under way at a time, so that mail goes before reports. It decides neither
// who is told (tell/obligation.hpp) nor what a report says (tell/report.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "queue/queue.hpp"
#include "relay/intake_policy.hpp"
#include "relay/lanes.hpp"
#include "relay/report_limit.hpp"
#include "relay/reported_message.hpp"
#include "relay/setup.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/smtp/reply.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"
#include "tell/report.hpp"

namespace relayd {

class Reporter {
 public:
  // `setup` is the relay's; what it says at the moment holds. `intake` says whom an address stands for.
  Reporter(async::Loop& loop, async::Workers& workers, telemetry::Log& log, const tell::Publisher& publisher,
           queue::Queue& queue, const Lanes& lanes, IntakePolicy& intake, const Setup& setup);

  // The queue is open: from now on mail that is late is looked for, and reports are written.
  void begin();
  // Something of the message has come to be owed: where Queue::on_debt() leads.
  void owe(queue::MessageId id);

  // Removes the message once nothing of it is owed any more. A restart forgets that: it stays as failed.
  void remove_when_told(queue::MessageId id);

  // Queues a message of the relay's own to its operator. Why not, in words; empty: it is queued.
  async::Task<std::string> notify(const std::string& from, const std::vector<std::string>& to,
                                  const std::string& subject, const std::vector<std::string>& paragraphs);

  // Reports that are being written.
  std::size_t under_way() const { return scope_.count(); }
  // No new report is begun.
  void shut_down();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  struct Waiting {
    queue::MessageId id;
    SteadyTime due;
  };

  // What one report says.
  struct Order {
    tell::Reported::Kind kind;
    std::vector<tell::ReportedRecipient> recipients;
    std::chrono::seconds delay{0};              // of a delay warning: the age that it is for
    std::optional<WallTime> next_attempt = {};  // likewise
    std::optional<WallTime> retry_until = {};   // likewise
  };

  bool owes(queue::MessageId id) const;
  std::vector<Order> orders_of(const ReportedMessage& message, const std::vector<std::uint32_t>& owed) const;
  void put(queue::MessageId id, Duration wait);
  void arm();
  void begin_due();
  async::Task<void> pay(queue::MessageId id);
  async::Task<std::string> pay_debt(queue::MessageId id);
  void note_unreadable(queue::MessageId id, std::string_view reason);
  void give_up(queue::MessageId id, std::string_view reason);

  void look_again();
  async::Task<void> look_for_late();
  std::chrono::seconds age_to_warn_of(const queue::Message& message) const;
  async::Task<std::string> warn(queue::MessageId id);
  bool way_is_open() const;

  async::Task<std::string> write(const ReportedMessage& message, Order order);
  bool is_still_so(const ReportedMessage& message, const Order& order) const;
  void silence(const ReportedMessage& message, const Order& order);
  tell::Report compose(const ReportedMessage& message, const mail::Envelope& envelope, const Order& order,
                       const std::vector<std::string>& to, std::string_view id);
  std::optional<smtp::Reply> readdress(tell::Report& report) const;
  async::Task<void> commit(queue::Draft draft, tell::Report report);
  void told(const ReportedMessage& message, const Order& order, const std::string& report,
            std::string_view to, std::string_view reason);
  void end_period();
  async::Task<void> write_summary();
  ReportLimit& limit_of(tell::Reported::Kind kind);

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  const tell::Publisher& publisher_;
  queue::Queue& queue_;
  const Lanes& lanes_;
  IntakePolicy& intake_;
  const Setup& setup_;
  std::deque<Waiting> waiting_;              // by their time
  std::unordered_set<std::uint64_t> known_;  // messages in waiting_, or under way
  std::unordered_set<std::uint64_t> removed_when_told_;
  std::unordered_map<std::uint64_t, unsigned> unreadable_;  // and how often the disk failed to give them
  SteadyTime blocked_until_{};                              // the queue takes nothing until then
  ReportLimit limit_, warning_limit_;
  SteadyTime silenced_since_{};
  std::random_device random_;
  bool stopping_ = false;
  async::Timer due_;
  async::Timer late_;
  async::Timer period_;
  async::Scope scope_;
  std::size_t under_way_ = 0;
};

}  // namespace relayd
