// History: walks from the newest record about a message in the state log to older ones, as far back as its
// summary.
//
// Called by whoever may block. Owns nothing. What cannot be read ends the walk.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "queue/record.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {

// What happened to the message whose newest record is at `last`, oldest first.
std::vector<HistoryEvent> read_history(const SegmentTable& states, Position last);

// All attempts as if they were one: for each recipient the newest reply there was. Nothing when there was no
// attempt.
std::optional<Outcome> newest_replies(const SegmentTable& states, Position last, std::size_t recipients);

}  // namespace relayd::queue
