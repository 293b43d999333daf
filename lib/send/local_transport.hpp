// LocalTransport: what transports into a folder of this machine share: they have no peer that could leave.
#pragma once

#include "send/transport.hpp"
#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"

namespace relayd::send {

class LocalTransport : public Transport {
 public:
  LocalTransport(async::Loop& loop, async::Workers& workers) : loop_(loop), workers_(workers), alarm_(loop) {}

  bool usable() const override { return usable_; }
  async::Task<bool> idle(Deadline deadline) override {
    woken_ = false;
    alarm_.at(deadline, [this] { ring_.set(); });
    co_await ring_;
    alarm_.cancel();
    co_return woken_;
  }
  void wake() override {
    woken_ = true;
    ring_.set();
  }
  async::Task<void> close() override {
    usable_ = false;
    co_return;
  }
  void abort() override {
    usable_ = false;
    ring_.set();
  }

 protected:
  async::Loop& loop_;
  async::Workers& workers_;  // for what blocks
  bool usable_ = false;

 private:
  bool woken_ = false;
  async::Timer alarm_;
  async::Event ring_;
};

}  // namespace relayd::send
