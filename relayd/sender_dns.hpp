// What DNS has for mail from a domain, for the commands that look at it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "rewrite/dkim.hpp"
#include "route/router.hpp"
#include "shared/dns/sender_records.hpp"

namespace relayd::command {

// What mail of the domain needs: by the keys that sign for it, and the upstreams that it may go to.
dns::SenderRecords records_of(const route::Router& router, const rewrite::DkimKeys& keys,
                              const std::string& domain);

// "127.0.0.1", "127.0.0.1:5353", "::1", "[::1]:5353".
std::optional<std::string> parse_server(const std::string& text);

// All that check_records() needs, within 20 s; no servers: those of /etc/resolv.conf. Blocks.
dns::Answers ask(const dns::SenderRecords& records, const std::vector<std::string>& servers);

}  // namespace relayd::command
