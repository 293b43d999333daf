// Queue::Implementation: the parts of the queue and what they do for each other.
//
// Private to the queue. On the loop's thread; the writers of both logs report to it through the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "queue/buffers.hpp"
#include "queue/queue.hpp"
#include "queue/replay.hpp"
#include "queue/store.hpp"
#include "queue/upkeep.hpp"
#include "shared/async/workers.hpp"

namespace relayd::queue {

class Queue::Implementation {
 public:
  Implementation(async::Loop& event_loop, async::Workers& helpers, disk::Disk& queue_disk, Options wanted);
  ~Implementation();

  void load(const std::function<void(const Progress&)>& progress);
  Recovery begin();

  Clock clock() const { return store.clock(); }
  MessageId next_id();

  // Sees to it that the earliest message is handed out in its time. After every change of times.
  void arm();

  void make_ready(Shipment& shipment);
  bool may_begin() const;

  // Records what happens to a message that goes on living.
  void record(Entry& entry, std::string bytes);
  // `recipients`: whom a hold or a not-taken is of; empty: all of the message.
  void record_event(RecordType type, Entry& entry, const std::vector<std::uint32_t>& recipients = {});
  // Takes a message out of the index, and all that is left of it off the disk once the record is durable.
  void erase(Entry& entry, std::string last_record);
  // The same with a `removed` record, whether or not one was written before.
  void erase_doomed(Entry& entry);
  Upkeep& upkeep() { return *upkeep_; }
  void remove(Entry& entry);
  // A ready shipment is due again then, unless it was held or removed meanwhile.
  void give_back(Shipment& shipment, SteadyTime when);
  // True: the message was removed while the shipment was ready. The shipment is taken back, and with the last
  // one the message is erased.
  bool take_back_doomed(Shipment& shipment);
  void hold(Entry& entry);
  void hold(Shipment& shipment);
  void told(Entry& entry, const Told& told);
  bool may_part(const Entry& entry) const;

  // Throws QueueError and DiskError; nothing of the message is kept then.
  async::Task<MessageId> commit(Draft::State& state, const Envelope& envelope, bool held);
  // Throws QueueError when it cannot be had, once nothing else is to be tried.
  // `ours`: the shipment that the caller has, so that what cannot be read has consequences.
  async::Task<Content> read(MessageId id, std::optional<ShipmentId> ours, Wanted wanted = Wanted::all);

  async::Loop& loop;
  async::Workers& workers;
  const Options options;
  std::function<void(Shipment&)> on_due;
  std::function<void(MessageId)> on_debt;
  std::function<void(const std::string&)> on_trouble;
  Alarm alarm{loop, on_trouble};
  std::size_t found_in_doubt = 0;  // by load()
  Buffers buffers;
  Store store;

 private:
  async::Task<MessageId> submit(Draft::State& state, const Envelope& envelope, bool held);
  void hand_out();
  void take_messages(Report& report);
  void take_facts(Report& report);
  void after_report();
  void shrink();

  async::Task<std::string> fetch(std::shared_ptr<const Segment> segment, Position where,
                                 std::uint32_t length);
  async::Task<Content> content_of(MessageId id, StoredMessage stored, std::optional<ShipmentId> ours,
                                  Wanted wanted);
  // `expected`: its checksum; nothing: whatever it has.
  async::Task<Content> open_large(MessageId id, std::uint64_t size, std::optional<std::uint64_t> expected,
                                  std::optional<ShipmentId> ours);
  bool wait_for_disk(ShipmentId id);
  // Holds a message that cannot be had, keeps what is left of it, and throws.
  async::Task<void> give_up(ShipmentId ours, std::shared_ptr<const Segment> segment, Position where,
                            std::uint32_t length, std::string reason);

  std::unique_ptr<Upkeep> upkeep_;
  std::unique_ptr<Replay> replay_;  // between load() and begin()
  std::chrono::steady_clock::time_point load_began_;
  async::Timer timer_;
  SteadyTime armed_for_;
  std::size_t most_messages_ = 0;                 // since shrink() last did something
  std::map<std::uint64_t, unsigned> unreadable_;  // messages, and how often the disk failed to give them
};

}  // namespace relayd::queue
