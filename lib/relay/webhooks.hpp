// Webhooks: tells receivers what becomes of messages, each event at least once.
//
// Owned by the relay; a subscriber of its Publisher. The queue records with an outcome whose end receivers
// are to be told of (Debt::events), and keeps the message until they are. Each event becomes a line
// (tell/webhook.hpp) in memory. Within 200 ms a helper thread appends the lines to the spool of each receiver
// that wants them, and then the queue is told. So a receiver that is away costs disk alone. After a crash the
// next start makes the same lines of what the queue knows, a message at a time. The same is done for events
// that have no room in memory while the disk fails. `deferred`, `suppressed` and those of accounts are owed
// to nobody: a crash loses those that are in memory.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "queue/queue.hpp"
#include "relay/reported_message.hpp"
#include "relay/webhook_sender.hpp"
#include "relay/webhook_spool.hpp"
#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/publisher.hpp"

namespace relayd {

class Webhooks {
 public:
  struct Surroundings {
    async::Loop& loop;
    async::Workers& workers;
    disk::Disk& disk;
    telemetry::Log& log;
    queue::Queue& queue;
    Bytes least_free = {};  // of the disk, which the spools leave to the queue
  };
  // What it asks the relay for.
  struct Hooks {
    std::function<std::unique_ptr<http::Client>(const config::Webhook&)> connect;
    // The provider's id of a message, by the upstream's name and what the queue keeps of the outcome.
    std::function<std::string(const std::string&, const queue::RecipientOutcome&)> provider_id;
  };

  // `masked`: addresses are as in the log.
  Webhooks(const Surroundings& surroundings, Hooks hooks, bool masked);
  ~Webhooks();

  // An earlier process owes events of the message: where Queue::on_debt() leads. Heard until begin(): what
  // comes to be owed later is published.
  void owe(queue::MessageId id);
  // Of each receiver, in their order: the octets of each of its secrets.
  using Secrets = std::vector<std::vector<std::string>>;
  // The queue is open: what is owed is made, what waits is told.
  void begin(const std::vector<config::Webhook>& webhooks, const Secrets& secrets);
  // After a reload; until begin() it does nothing.
  void use(const std::vector<config::Webhook>& webhooks, const Secrets& secrets);
  // What the Publisher shall tell it; for as long as this lives.
  tell::Subscriber subscriber();

  std::vector<watch::Status::Webhook> status() const;

  // No request is begun, and nothing of an earlier process is made any more.
  void shut_down();
  // All events up to this call are in the spools, or the log says why not.
  async::Task<void> flush();
  // After both: no worker has anything of this any more.
  async::Task<void> drained();

 private:
  struct Receiver;
  struct Owed {
    queue::MessageId id;
    std::uint32_t recipient = 0;
  };

  void hear(const tell::Outcome& outcome);
  void hear(const tell::GivenUp& given_up);
  void hear(const tell::Suppressed& suppressed);
  void hear(const tell::AccountNews& account);
  WallTime moment();
  void take(const tell::WebhookNews& news);
  void gather(const tell::WebhookNews& news);
  bool has_room() const;
  bool is_under_way(queue::MessageId id) const;
  void make_receivers(const std::vector<config::Webhook>& webhooks, const Secrets& secrets);
  async::Task<void> tidy();
  void put_off(queue::MessageId id);
  std::string provider_id(const std::string& upstream, const queue::RecipientOutcome& outcome) const;

  void arrange();
  async::Task<void> write();
  void tell_queue();
  void heed(const std::string& failure);
  async::Task<void> pay();
  async::Task<bool> pay_first();
  void make(queue::MessageId id, const ReportedMessage& message, const std::vector<std::uint32_t>& owed);
  void give_up(queue::MessageId id, const std::string& reason);

  async::Loop& loop_;
  async::Workers& workers_;
  disk::Disk& disk_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  const Bytes least_free_;
  const Hooks hooks_;
  const bool masked_;
  std::vector<std::unique_ptr<Receiver>> receivers_;  // also those that the last reload has taken away
  std::vector<Owed> gathered_;                        // whose events are in the lines
  std::vector<Owed> outgoing_;                        // in those that are being written, or could not be
  std::deque<queue::MessageId> late_;                 // whose events are made of what the queue knows
  std::unordered_set<std::uint64_t> is_late_;
  std::unordered_map<std::uint64_t, unsigned> unreadable_;  // how often the disk failed to give them
  WallTime last_of_none_{};  // of an event of no message: two within a microsecond get different ids
  std::uint64_t lost_ = 0;   // in this trouble, events that nobody was owed
  bool begun_ = false;
  bool stopping_ = false;
  bool writing_ = false;
  bool paying_ = false;
  bool failed_ = false;                 // the last write
  bool troubled_ = false;               // and the log has said so
  std::vector<async::Event*> waiting_;  // for the end of the write
  async::Timer timer_;
  async::Timer again_;
  async::Scope scope_;
};

}  // namespace relayd
