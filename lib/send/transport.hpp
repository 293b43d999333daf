// Transport: a way to hand over one message after another. SMTP (smtp_transport) or a folder (sandbox).
//
// Owned by one connection of a lane, used by one coroutine. Nothing it meets is an exception for its user:
// what goes wrong is an Event.
#pragma once

#include <memory>
#include <optional>

#include "send/delivery.hpp"
#include "shared/async/task.hpp"
#include "shared/base/time.hpp"

namespace relayd::send {

// Asked for the next message when the current one is about to end, so that its commands can leave with the
// final dot. Called at most once a message, and not at all by a transport that has no use for it.
class Follow {
 public:
  virtual ~Follow() = default;
  // Null: none now. Lives until it was sent.
  virtual async::Task<Delivery*> next() = 0;
};

// Nothing follows.
class Nobody final : public Follow {
 public:
  async::Task<Delivery*> next() override { co_return nullptr; }
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Gets ready for mail: connects, encrypts, authenticates. An event: it failed and the transport is of no
  // more use.
  virtual async::Task<std::optional<Event>> open() = 0;

  // Sends one message. Afterwards ask usable(). If `follow` gave another, that one comes next: it may have
  // been announced already, and nothing of it was tried if the connection is of no more use.
  virtual async::Task<Report> send(Delivery& delivery, Follow& follow) = 0;
  virtual bool usable() const = 0;

  // Waits for work until the deadline. True: wake() was called; false: the time is over or the peer has left.
  virtual async::Task<bool> idle(Deadline deadline) = 0;
  virtual void wake() = 0;

  // Says good-bye and closes.
  virtual async::Task<void> close() = 0;
  // Ends now; what is pending fails with Trouble::cancelled.
  virtual void abort() = 0;

  // For reports of what failed before there was a transaction.
  virtual Report describe() const = 0;
};

}  // namespace relayd::send
