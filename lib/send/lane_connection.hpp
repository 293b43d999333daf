// Lane::Connection: what a lane knows of one of its connections. For lane.cpp and lane_connection.cpp alone.
#pragma once

#include "send/lane.hpp"

namespace relayd::send {

struct Lane::Connection final : Follow {
  explicit Connection(Lane& owner) : lane(owner) {}

  async::Task<Delivery*> next() override {
    // A probe goes alone.
    while (!lane.in_trouble() && !following.delivery && lane.site_->ahead.may(this, lane.loop_.now())) {
      const std::optional<Ticket> ticket = lane.take_for(*this);
      if (!ticket) break;
      co_await lane.load(*ticket, following);
    }
    if (!following.delivery)
      lane.site_->ahead.not_tried(this);
    else if (lane.site_->ahead.rides(this, lane.loop_.now()))
      co_await lane.desk_.note_site(lane);
    co_return following.delivery.get();
  }

  void drop_transport() {
    transport.reset();
    carried = 0;
    recipients = 0;
    turn_until = {};
    is_over = false;
    announced = false;
  }

  Lane& lane;
  std::unique_ptr<Transport> transport;  // null: not open
  unsigned generation = 0;               // of what the transport was made from
  std::uint32_t carried = 0;             // messages that it was given
  std::uint64_t recipients = 0;          // of these
  SteadyTime opened{};
  SteadyTime turn_until{};       // before that it need not make room
  bool is_over = false;          // the desk wants no more to be sent there
  bool announced = false;        // the commands of `current` have left already
  Taken current;                 // is being sent
  Taken following;               // comes next, and may have been announced
  SteadyTime idle_since{};       // while it is idle
  std::optional<Ticket> handed;  // what ended an idle wait
};

}  // namespace relayd::send
