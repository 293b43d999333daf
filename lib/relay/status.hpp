// status_of: what the operator sees of a running relay, copied out of its queue and lanes.
//
// Beside the path; asked by the admin window. Changes nothing.
//
// Ten thousand lanes take tens of milliseconds to copy, and no mail may wait for somebody who looks. So they
// are copied in slices of a hundred, and the loop goes on between two of them:
//
// - A lane is as it was in the moment of its slice. All else is of the moment of the last slice, so what
//   waits for lanes need not add up to what waits in the queue.
// - A lane that stays is there once. One that was made meanwhile is there as well, and one that went
//   meanwhile may be.
// - All are of one configuration: a reload meanwhile begins anew.
//
// Up to a hundred lanes are one slice: a copy of one moment, for which nothing is waited.
#pragma once

#include "queue/queue.hpp"
#include "relay/lanes.hpp"
#include "relay/lines.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"
#include "watch/status.hpp"

namespace relayd {

// `started`: when the relay did. Lanes that the present configuration has no more are left out, and so is the
// oldest message, which takes a search.
async::Task<watch::Status> status_of(const queue::Queue& queue, const Lanes& lanes, const Lines& lines,
                                     SteadyTime started, async::Loop& loop);

}  // namespace relayd
