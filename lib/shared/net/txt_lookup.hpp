// Look-ups of TXT records, for commands that compare DNS with what it should be.
//
// Stands beside the checks of shared/dns, which say what to ask for. It blocks, so nothing of the daemon may
// call it; the hosts that mail goes to are looked up by resolve(). Nothing is cached here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "shared/base/result.hpp"
#include "shared/dns/answer.hpp"

namespace relayd::net {

struct DnsServer {
  std::string address;  // an IP literal
  std::uint16_t port = 53;
};

// `server`: whom to ask; without it those of resolv.conf(5), one after another.
// Asks for all names at a time, over UDP, and again over TCP what did not fit (RFC 1035 4.2.1); follows
// CNAMEs, and takes nothing that stands there for another name. Has an answer for each name once `limit` has
// passed: `failed`, with why, for what nobody told by then. An error: nobody can be asked.
Result<dns::Answers> look_up_texts(std::span<const std::string> names, const std::optional<DnsServer>& server,
                                   std::chrono::milliseconds limit);

}  // namespace relayd::net
