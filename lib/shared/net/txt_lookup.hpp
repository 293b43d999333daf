// Look-ups of TXT records, for commands that compare DNS with what it should be.
//
// Stands beside the checks of shared/dns, which say what to ask for. It blocks, so nothing of the daemon may
// call it; the hosts that mail goes to are looked up by a DnsClient of the dialer. Nothing is cached here.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "shared/dns/answer.hpp"

namespace relayd::net {

// `servers`: whom to ask, as in DnsOptions. Asks for all names at a time, by a DnsClient; takes nothing that
// stands there for another name. Has an answer for each name once `limit` has passed: `failed`, with why, for
// what nobody told by then.
dns::Answers look_up_texts(std::span<const std::string> names, std::vector<std::string> servers,
                           std::chrono::milliseconds limit);

}  // namespace relayd::net
