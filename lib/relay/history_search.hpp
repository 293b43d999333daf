// What became of messages, searched for in the files of the history.
//
// Beside the path; for `relayd history`, which reads while the relay writes, or when there is none. Two
// passes: which messages are meant, from the newest line on, then all lines about them. Only lines that have
// what is looked for somewhere in them are read as JSON. Reads one file at a time, and
// has of all messages the ids, of some at a time the lines.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relayd {

// The folder of a history.
struct HistoryFolder {
  std::vector<std::string> names;
  // The content of a file; nothing: it is gone. Throws what its owner catches.
  std::function<std::optional<std::string>(const std::string& name)> read;
};

struct HistoryQuery {
  // Id, address, "@domain", Message-ID or a provider's id of a message; empty: any.
  std::string what;
  std::string since;      // messages of which something is told since then, as lines have it; empty: ever
  bool failed = false;    // only those that failed for somebody
  std::size_t limit = 0;  // the newest; 0: all
};

// The recipients of a message and what was last told of each: "accepted", "held", "delivered", "deferred"…
// Two that look the same are masked.
using HistoryStates = std::vector<std::pair<std::string, std::string>>;

struct MessageHistory {
  std::string id;
  std::vector<nlohmann::json> lines;  // see tell/history.hpp; in order of time; one at least
  HistoryStates states;
};

// Whether that is an end without delivery.
bool is_failure(std::string_view state);

struct HistoryFound {
  std::size_t messages = 0;
  bool more = false;  // there are more than the limit
};
// Calls visit(message) for each; those of which something was told last come last.
HistoryFound search_history(const HistoryFolder& folder, const HistoryQuery& query,
                            const std::function<void(MessageHistory&)>& visit);

}  // namespace relayd
