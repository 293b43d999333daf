// Request: what the operator asks of a running relay, as `relayd queue`, `lane` and `status` say it and Admin
// reads it.
//
// Both ends use this file, so that they cannot drift apart. A line of JSON on the wire.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::watch {

struct Request {
  // list | show | retry | hold | release | delete: messages; pause | resume: lanes; status | health |
  // metrics; reload: the configuration; history: to its files; suppress_list | suppress_add |
  // suppress_remove | suppress_import: recipients whom nothing is sent
  std::string command;
  std::vector<std::string> ids;  // these; none: all that the filters let through
  bool all = false;              // meant all, without a filter
  std::string sender;            // "ann@example.com" or "@example.com", in any case; empty: any
  std::string recipient;         // the same; suppress_…: the recipient
  std::string upstream;          // name of the upstream the message waits for, or of the lane; empty: any
  std::string account;           // of the lane: its user name; empty: any
  std::string state;             // waiting | ready | held | failed | reporting; empty: any
  bool details = false;          // list: also to whom, and why it waits, which stands on disk
  bool body = false;             // show: the whole message, not its header alone
  bool not_taken = false;        // retry: the upstream is known not to have taken what is in doubt
  bool bounce = false;           // delete: the sender is told, as of mail that failed
  bool failed = false;           // retry: what has failed, instead of what waits
  std::string reason;            // suppress_add: why, in the operator's words
  std::int64_t seconds = 0;      // suppress_add: how long; 0: as the configuration says
  std::size_t limit = 0;         // list: so many messages at most; 0: all
  std::string after;             // list: from the message after that id on, which may be gone
  std::uint64_t octets = 0;      // suppress_import: so many follow the line

  bool has_filter() const {
    return !sender.empty() || !recipient.empty() || !upstream.empty() || !state.empty() || failed;
  }
  bool is_of_suppressed() const { return command.starts_with("suppress_"); }
  // Whether this concerns a message that has failed (or one that has not). A retry sends failed mail again
  // where that was asked for alone: by id, with `failed`, or by the state's name.
  bool concerns(bool message_failed) const {
    if (message_failed) return command != "retry" || failed || !ids.empty() || state == "failed";
    return !failed;
  }
};

// What an import may bring.
inline constexpr std::uint64_t longest_import = 256 << 20;

std::string to_line(const Request& request);  // with '\n'
// Refuses what is no request, an unknown command, and a change of everything that was not asked for with
// `all`.
Result<Request> parse_request(std::string_view line);
// The names of a request's members, as JSON has them.
std::vector<std::string> request_members();
// The same as parse_request() of what was read from JSON already.
Result<Request> request_of(const nlohmann::json& object);

// "ann@example.com" or "@example.com" against an address; an empty pattern fits everything.
bool fits(std::string_view pattern, std::string_view address);

}  // namespace relayd::watch
