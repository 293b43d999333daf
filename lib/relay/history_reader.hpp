// The files of the history, read for a person: by `relayd history`, with or without a daemon, and by the
// window over HTTP.
//
// Beside the path. Blocks: not for the loop.
#pragma once

#include <optional>
#include <string>

#include "relay/history_search.hpp"

namespace relayd {

// A moment as lines have it: of "2h" (ago), "2026-11-20", "2026-11-20T09:30" or "2026-11-20T09:30:00Z" (RFC
// 3339; UTC where no zone is said). Nothing: it is no such text.
std::optional<std::string> parse_history_since(const std::string& text);

// The folder in a queue's directory. Throws std::system_error, as its `read` does, for what cannot be read.
HistoryFolder history_folder_of(const std::string& queue_directory);

// Addresses become as a log shows them that masks; also where they were written before it did.
void mask(MessageHistory& message);

// "delivered", or "2 delivered, 1 failed" where recipients differ.
std::string state_of(const MessageHistory& message);

// One object without line end: id, state, recipients, events. Names stay: scripts read them.
std::string to_json(const MessageHistory& message);

}  // namespace relayd
