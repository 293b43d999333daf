// What a command asks a daemon over HTTP (--url): the API of its window, docs/api.md.
//
// Used by commands. Blocking.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "watch/admin_request.hpp"
#include "watch/api.hpp"

namespace relayd::command {

// Whether a daemon's address is the URL of its window, and no path of its admin socket.
bool is_url(std::string_view address);
// Why no window can have that URL; empty: one can.
std::string fault_of_url(const std::string& text);

// The lines that the admin socket would answer. With the token of RELAYD_HTTP_TOKEN or RELAYD_HTTP_TOKEN_FILE
// where one is set, which goes in the clear to this machine alone. The error says why there is no answer.
// `patience`: with all of it; 0: ten minutes.
Result<std::string> ask_over_http(const std::string& url, const watch::Request& request,
                                  std::chrono::seconds patience);
Result<std::string> ask_over_http(const std::string& url, const watch::HistoryQuestion& question);

}  // namespace relayd::command
