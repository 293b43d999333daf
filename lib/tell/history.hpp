// The lines of the history: what `relayd history` reads of a message, one event a line, as JSON.
//
// Last stage of the path. The relay's HistoryBook appends them to its files, its search reads them. Pure. A
// line begins with the message's id and the time, which can so be had without reading the rest, and has no
// line end but its own. Each text of others is bounded. A list of many recipients becomes several lines of
// the same event, each with some of them.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// How lines are written.
struct HistoryStyle {
  WallTime now;
  // Addresses are masked, as those of the log, and each line has hashes of the full ones, by which who
  // knows an address finds it: `to_keys` of those in `to`, in their order, `keys` of the others.
  bool masked = false;
  std::string_view key = {};  // of the hash; empty: there are no hashes
};

// No line is longer than that, with its '\n'.
inline constexpr std::size_t longest_history_line = 96 * 1024;

// Append whole lines. Allocate nothing where `out` has room and nothing is masked.
void append_history(std::string& out, const Arrival& arrival, const HistoryStyle& style);
void append_history(std::string& out, const Outcome& outcome, const HistoryStyle& style);
void append_history(std::string& out, const GivenUp& given_up, const HistoryStyle& style);
void append_history(std::string& out, const Handled& message, const HistoryStyle& style);
void append_history(std::string& out, const Reported& report, const HistoryStyle& style);

// The keys whose values are addresses, alone or in a list.
inline constexpr std::array<std::string_view, 6> history_address_keys = {"from",    "to",         "sent_from",
                                                                         "sent_to", "instead_of", "about"};

// What stands in a line instead of a masked address; the case of the address does not matter.
std::string history_hash(std::string_view address, std::string_view key);

struct HistoryHead {
  std::string_view id;
  std::string_view time;  // "2026-11-20T06:24:01.123456Z"
};
// The beginning of a line; nothing: it is none of ours.
std::optional<HistoryHead> history_head(std::string_view line);

// The whole of a line, without its '\n': an object whose values are texts, numbers and arrays of texts, with
// `id`, `time` and `event` that are texts. Nothing: it was cut short, or is none of ours.
std::optional<nlohmann::json> parse_history(std::string_view line);

}  // namespace relayd::tell
