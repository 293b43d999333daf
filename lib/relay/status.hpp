// status_of: what the operator sees of a running relay, copied out of its queue and lanes.
//
// Beside the path; asked by the admin window. Changes nothing.
#pragma once

#include "queue/queue.hpp"
#include "relay/lanes.hpp"
#include "relay/lines.hpp"
#include "shared/async/loop.hpp"
#include "watch/status.hpp"

namespace relayd {

// `started`: when the relay did. Lanes that the present configuration has no more are left out, and so is the
// oldest message, which takes a search.
watch::Status status_of(const queue::Queue& queue, const Lanes& lanes, const Lines& lines, SteadyTime started,
                        const async::Loop& loop);

}  // namespace relayd
