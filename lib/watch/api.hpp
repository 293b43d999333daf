// What a request of HTTP asks of the operator's window: the table of its paths, and who may ask.
//
// Beside the path; asked by Web. Pure: values in, values out. Nothing is changed but by POST with the token
// (RFC 6750 2.1), and nobody is answered by a name that is not ours: a web page that has its own name point
// to this machine reads nothing (DNS rebinding).
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shared/base/secret.hpp"
#include "shared/http/request_parser.hpp"
#include "shared/http/server.hpp"
#include "watch/admin_request.hpp"
#include "watch/captured_desk.hpp"
#include "watch/live.hpp"

namespace relayd::watch {

// Who may ask.
struct Entrance {
  Secret token = {};                    // for changes; empty: nobody may change anything
  bool is_local = true;                 // only this machine can connect; else the token is for all of /api/
  std::vector<std::string> hosts = {};  // names beside loopback's, in lower case
  bool judges_host = true;              // not of a unix socket, which no web page can reach
};

// As `relayd history` asks.
struct HistoryQuestion {
  std::string what = {};
  std::string since = {};
  bool failed = false;
  std::size_t limit = 0;  // the newest; at least 1
};

// As `relayd explain` asks.
struct ExplainQuestion {
  std::string sender = {};
  std::string recipient = {};
  std::string client = {};
  std::string account = {};
  std::string listener = {};
};

// What is asked for.
struct Asked {
  enum class What {
    live,   // does the loop turn?
    ready,  // does it take mail?
    metrics,
    page,
    events,  // how it stands, as it changes
    series,  // what has become of mail in the last hour and day
    lanes,
    history,   // what became of messages
    explain,   // what would become of one
    lines,     // of the Desk: a line for each thing, and one at the end
    object,    // of the Desk: one line
    message,   // of the Desk: the octets of a message
    captured,  // what sandboxes have kept
  };
  What what = What::page;
  Request request = {};  // of the Desk
  LaneFilter lanes = {};
  HistoryQuestion history = {};
  ExplainQuestion explain = {};
  CapturedAsked captured = {};
};

// `status` 401 is for a wrong token.
using Judged = std::variant<Asked, http::Answer>;
Judged judge(const http::ReceivedRequest& request, const Entrance& entrance);

// A request of HTTP, from the side of who asks.
struct Question {
  std::string method = "GET";
  std::string target;  // below where the window is
  std::string body = {};
};
// What judge() reads as the same; `show` is of the first id. The error: HTTP has no path for it.
Result<Question> question_for(const Request& request);
Question question_for(const HistoryQuestion& question);

// {"error": text}, with that status.
http::Answer refusal(int status, std::string_view text);

// "@" to "%40" (RFC 3986 2.1).
std::string encode_query(std::string_view text);
// "%40" to "@" and "+" to a blank (application/x-www-form-urlencoded); what is no such code stays.
std::string decode_query(std::string_view text);

}  // namespace relayd::watch
