// QueueFixture: a queue on a disk of the test's choice, with a clock that stands still.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "queue/queue.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/posix_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::test {

class QueueFixture : public testing::Test {
 protected:
  void SetUp() override {
    options.directory = (directory.path() / "queue").string();
    options.segment_size = 1_MiB;
    options.inline_limit = 64_KiB;
    options.reserve = 0_B;
    reopen();
  }

  void TearDown() override { queue.reset(); }  // before a disk of a derived fixture

  // Ends the queue, if there is one, and opens it again.
  void reopen() {
    queue.reset();
    loop.run();
    queue = std::make_unique<queue::Queue>(loop, workers, fresh_disk(), options);
    queue->on_trouble([this](const std::string& text) { troubles.push_back(text); });
    recovery = queue->open();
  }

  virtual disk::Disk& fresh_disk() {
    disk = std::make_unique<disk::PosixDisk>();
    return *disk;
  }

  queue::MessageId commit(std::string_view body,
                          const std::vector<std::string>& recipients = {"b@example.org"}) {
    queue::Envelope envelope;
    envelope.sender = envelope.routing_sender = "a@example.org";
    for (const std::string& address : recipients) envelope.recipients.push_back({address, "", ""});
    return run_task(commit_task(body, std::move(envelope)), &loop);
  }

  async::Task<queue::MessageId> commit_task(std::string_view body, queue::Envelope envelope) {
    queue::Draft draft = queue->draft();
    while (!body.empty()) {
      const std::string_view piece = body.substr(0, 10'000);
      body.remove_prefix(piece.size());
      const bool full = draft.append(piece);
      if (full) co_await draft.flush();
    }
    const queue::MessageId id = co_await queue->commit(std::move(draft), envelope);
    co_return id;
  }

  queue::Content read(queue::MessageId id) { return run_task(queue->read(shipment(id)), &loop); }

  queue::Content look(queue::MessageId id) { return run_task(queue->look(message(id)), &loop); }

  queue::Message& message(queue::MessageId id) {
    queue::Message* const found = queue->find(id);
    if (!found) throw std::runtime_error("the queue has no such message");
    return *found;
  }

  // The one with which the message began.
  queue::Shipment& shipment(queue::MessageId id) { return message(id).first; }

  // Settles with one state for each recipient, in order; the next attempt is in an hour.
  void settle(queue::MessageId id, const std::vector<queue::RecipientState>& states) {
    queue::Outcome outcome;
    outcome.when = loop.wall_now();
    outcome.next_attempt = loop.wall_now() + std::chrono::hours(1);
    outcome.upstream = "office";
    outcome.username = "relay";
    outcome.host = "mx.example.net:587";
    for (std::uint32_t i = 0; i < states.size(); ++i)
      outcome.recipients.push_back({i, states[i], 450, "4.2.0 later"});
    queue->settle(shipment(id), outcome);
    flush();
  }

  // The final dot of an attempt at `upstream` is about to leave; if nothing more is heard, the next one is in
  // an hour.
  void doubt(queue::MessageId id, std::string_view upstream = "mailgun",
             const std::vector<std::uint32_t>& recipients = {0}) {
    run_task(
        queue->mark_in_doubt(shipment(id), upstream, recipients, loop.wall_now() + std::chrono::hours(1)),
        &loop);
  }

  void flush() { run_task(queue->flush(), &loop); }

  // Until nothing is left to do at the present time, here or on another thread. A round costs a call
  // of the keeper and one of the workers. One that cost more has run something else, which may have begun
  // more.
  void settle_down() {
    constexpr std::uint64_t own_calls = 2;
    for (unsigned round = 0; round < 100'000; ++round) {
      loop.run();
      const std::uint64_t before = loop.calls();
      flush();
      run_task(workers.run([] {}), &loop);
      if (loop.calls() - before <= own_calls) return;
    }
    throw std::runtime_error("the queue is busy for ever");
  }

  TemporaryDirectory directory;
  ManualLoop loop;
  async::Workers workers{loop, 1};  // for settle_down(): what is handed to it later ends later
  queue::Options options;
  std::vector<std::string> troubles;
  std::unique_ptr<disk::PosixDisk> disk;
  std::unique_ptr<queue::Queue> queue;
  queue::Recovery recovery;
};

}  // namespace relayd::test
