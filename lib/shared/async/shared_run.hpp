// SharedRun: work of which one run at a time is under way, and which serves all who asked before it began.
//
// Stands under what the relay keeps in files: a call that comes during a write shares the next one, as the
// write under way may lack its news. On the loop's thread. It must outlive all waits.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "shared/async/event.hpp"
#include "shared/async/task.hpp"

namespace relayd::async {

class SharedRun {
 public:
  // True: the run is the caller's, until end(). False: a run that began after the call is over.
  Task<bool> begin() {
    const std::uint64_t call = ++asked_;
    while (under_way_) {
      Event over;
      waiting_.push_back(&over);
      co_await over;
    }
    if (served_ >= call) co_return false;
    under_way_ = true;
    serves_ = asked_;
    co_return true;
  }
  void end() {
    under_way_ = false;
    served_ = serves_;
    for (Event* const over : std::exchange(waiting_, {})) over->set();
  }
  bool under_way() const { return under_way_; }

 private:
  bool under_way_ = false;
  std::vector<Event*> waiting_;  // for its end
  std::uint64_t asked_ = 0;      // calls so far
  std::uint64_t serves_ = 0;     // of these, those that the run under way serves
  std::uint64_t served_ = 0;     // and those that have been
};

}  // namespace relayd::async
