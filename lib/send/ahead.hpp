// Ahead: whether the commands of the next message may leave with a final dot at a site (RFC 2920 3.1).
//
// Fifth stage of the path; shared by all lanes of an upstream. Some servers offer PIPELINING and then throw
// away what stands behind the dot, or end the session on it, when the message may have been taken. So a site
// earns it: one message on one connection tries, and the others follow once all its replies were read. One
// loss ends it for all, until it is tried again. A pure value: time is an argument.
#pragma once

#include "shared/base/time.hpp"

namespace relayd::send {

class Ahead {
 public:
  static constexpr Duration tried_again_after = std::chrono::hours(1);

  // Whether this connection may. Where nobody has tried yet it is the one that does.
  bool may(const void* connection, SteadyTime now) {
    if (state_ == State::lost && now - lost_at_ >= tried_again_after) state_ = State::untried;
    if (state_ == State::untried) {
      state_ = State::trying;
      trier_ = connection;
    }
    return state_ == State::earned || (state_ == State::trying && trier_ == connection);
  }
  // All replies to what rode behind a dot were read, and fit.
  void worked(const void* connection) {
    if (state_ == State::trying && trier_ == connection) state_ = State::earned;
    closed_ = 0;
  }
  // The server closed politely while something rode there. Some do after so many messages; one that does at
  // the first try, or each time, is spared. True: it is lost.
  bool closed(const void* connection, SteadyTime now) {
    const bool at_once = state_ == State::trying && trier_ == connection;
    if (state_ == State::earned) ++closed_;
    if (!at_once && closed_ < most_closed) return false;
    lost(now);
    return true;
  }
  // It has shown nothing: nothing rode there.
  void not_tried(const void* connection) {
    if (state_ == State::trying && trier_ == connection) state_ = State::untried;
  }
  // What rode behind a dot was not answered, or not as it should be.
  void lost(SteadyTime now) {
    state_ = State::lost;
    lost_at_ = now;
    closed_ = 0;
  }
  bool is_lost(SteadyTime now) const { return state_ == State::lost && now - lost_at_ < tried_again_after; }

 private:
  static constexpr unsigned most_closed = 3;  // connections in a row
  enum class State { untried, trying, earned, lost };

  State state_ = State::untried;
  const void* trier_ = nullptr;
  SteadyTime lost_at_{};
  unsigned closed_ = 0;
};

}  // namespace relayd::send
