// Rig: a queue as the relay runs it (the real loop, disk and threads), with nothing around it.
//
// A benchmark spawns its clients and calls run(), which returns when the last of them has ended.
#pragma once

#include <memory>
#include <string>

#include "counting_disk.hpp"
#include "queue/queue.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/net/asio_loop.hpp"

namespace relayd::bench {

class Rig {
 public:
  // Opens the queue there; it may hold messages. Failures end the process.
  explicit Rig(const std::string& directory, Duration sync_delay = {});

  void spawn(async::Task<void> client) { scope_.spawn(std::move(client)); }
  void run();

  // Commits a message of one recipient.
  async::Task<queue::MessageId> commit(const std::string& body);
  // The outcome of an attempt on it; the next one, if any, is in an hour.
  queue::Outcome outcome(queue::RecipientState state);

  net::AsioLoop loop;
  CountingDisk disk;
  async::Workers workers{loop, 2};
  queue::Recovery recovery;
  std::unique_ptr<queue::Queue> queue;

 private:
  async::Task<void> stop_after_clients();

  async::Scope scope_;
};

// What is sent: lines of text, `size` octets.
std::string example_body(std::size_t size);
// The octets that such a message takes in the journal.
std::size_t record_size(std::size_t body);

}  // namespace relayd::bench
