// Breaker: whether a lane or a site is paused after trouble, and what ends the trouble.
//
// Fifth stage of the path; each lane has one, and each site. A pure value: time is an argument.
#pragma once

#include "shared/base/time.hpp"

namespace relayd::send {

// What shows that the trouble is over.
enum class Probe {
  message,  // a delivery, or a refusal that is the message's own fault
  knock,    // greeting and login: no message is put at risk
};

class Breaker {
 public:
  void pause(SteadyTime until, Probe probe) {
    until_ = until;
    probe_ = probe;
    ++troubles_;
  }
  // A knock more, which is no trouble more.
  void knock_again(SteadyTime at) {
    until_ = at;
    probe_ = Probe::knock;
  }
  // The trouble is over.
  void reset() {
    until_ = {};
    troubles_ = 0;
  }
  // The pause is; the trouble may not be.
  void end_pause() { until_ = {}; }

  bool paused(SteadyTime now) const { return now < until_; }
  bool in_trouble() const { return troubles_ > 0; }
  bool knocks() const { return in_trouble() && probe_ == Probe::knock; }
  unsigned troubles() const { return troubles_; }  // pauses in a row
  SteadyTime until() const { return until_; }      // of the latest pause; long ago: there is none

 private:
  SteadyTime until_{};
  Probe probe_ = Probe::message;
  unsigned troubles_ = 0;
};

}  // namespace relayd::send
