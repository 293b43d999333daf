// Ahead: whether the commands of the next message may leave with a final dot at a site (RFC 2920 3.1).
//
// Fifth stage of the path; shared by all lanes of an upstream. Some servers offer PIPELINING and then throw
// away what stands behind the dot, or end the session on it, when the message may have been taken. So a site
// earns it: one message on one connection tries, and the others follow once all its replies were read. One
// loss ends it for all. What was learnt holds for a while, then one message tries again. A pure value: time
// is an argument.
#pragma once

#include <algorithm>
#include <utility>

#include "shared/base/time.hpp"

namespace relayd::send {

class Ahead {
 public:
  enum class State { untried, trying, earned, lost };
  // For another process. A process that ended while it tried may have met what the server does not stand.
  struct Record {
    State state = State::untried;
    SteadyTime since{};
    unsigned losses = 0;
  };

  // Whether this connection may. Where nobody has tried yet it is the one that does.
  bool may(const void* connection, SteadyTime now) {
    if (state(now) == State::untried) {
      state_ = State::trying;
      trier_ = connection;
    }
    return state_ == State::earned || tries(connection);
  }
  // Commands are to ride behind this connection's dot. True: it is the one that tries, which must be known
  // from now on even if the process ends.
  bool rides(const void* connection, SteadyTime now) {
    if (!tries(connection)) return false;
    at_risk_ = changed_ = true;
    since_ = now;
    return true;
  }
  // All replies to what rode behind a dot were read, and fit.
  void worked(const void* connection, SteadyTime now) {
    closed_ = 0;
    const bool renews = state_ == State::earned && now - since_ >= renewed_after;
    if (!tries(connection) && !renews) return;
    learn(State::earned, now);
    losses_ = 0;
  }
  // The server closed politely while something rode there. Some do after so many messages; one that does at
  // the first try, or each time, is spared. True: it is lost.
  bool closed(const void* connection, SteadyTime now) {
    if (state_ == State::earned) ++closed_;
    if (!tries(connection) && closed_ < most_closed) return false;
    lost(now);
    return true;
  }
  // It has shown nothing: nothing rode there.
  void not_tried(const void* connection) {
    if (!tries(connection)) return;
    state_ = State::untried;
    changed_ |= std::exchange(at_risk_, false);
  }
  // What rode behind a dot was not answered, or not as it should be.
  void lost(SteadyTime now) {
    learn(State::lost, now);
    ++losses_;
  }

  bool is_lost(SteadyTime now) const { return state(now) == State::lost; }
  State state(SteadyTime now) const { return now < until() ? state_ : State::untried; }
  // How long what was learnt holds; no end: nothing was.
  SteadyTime until() const {
    if (state_ == State::earned) return since_ + earned_holds;
    if (state_ == State::lost) return since_ + lost_holds[std::clamp(losses_, 1U, 3U) - 1];
    return SteadyTime::max();
  }

  Record record() const {
    if (state_ == State::trying && !at_risk_) return {State::untried, {}, losses_};
    return {state_, since_, losses_};
  }
  void restore(const Record& record) {
    state_ = record.state;
    since_ = record.since;
    losses_ = record.losses;
    if (state_ == State::trying) lost(since_);
  }
  // Whether anything was learnt since this was asked last.
  bool take_changed() { return std::exchange(changed_, false); }

 private:
  static constexpr unsigned most_closed = 3;  // connections in a row
  static constexpr Duration earned_holds = std::chrono::hours(1);
  static constexpr Duration renewed_after = std::chrono::minutes(10);
  // The first loss, the second in a row, each later one: a try may cost a message a second copy.
  static constexpr Duration lost_holds[] = {std::chrono::hours(1), std::chrono::days(1),
                                            std::chrono::weeks(1)};

  bool tries(const void* connection) const { return state_ == State::trying && trier_ == connection; }
  void learn(State state, SteadyTime now) {
    state_ = state;
    since_ = now;
    closed_ = 0;
    at_risk_ = false;
    changed_ = true;
  }

  State state_ = State::untried;
  const void* trier_ = nullptr;
  SteadyTime since_{};
  unsigned losses_ = 0;   // in a row
  unsigned closed_ = 0;   // connections in a row
  bool at_risk_ = false;  // the one that tries has something there
  bool changed_ = false;
};

}  // namespace relayd::send
