// Which hosts take mail, and in which order, by MX records (RFC 5321 5.1, RFC 7505) and by SRV records
// (RFC 2782, of submission: RFC 6186 and RFC 8314).
//
// Beside net::ServerFinder, which asks DNS. Pure; chance is an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/dns/message.hpp"

namespace relayd::dns {

// A whole number from 0 to below its argument, each as likely.
using Chance = std::function<std::uint32_t(std::uint32_t)>;

// The domain takes no mail: one record alone, which names the root (RFC 7505 3).
bool is_null_mx(std::span<const ResourceRecord> records);

// The hosts of MX records, most preferred first, equals in an order that `chance` makes. What names no host
// is left out; so is `own` with all that are preferred no more than it, as mail would come back (RFC
// 5321 5.1).
std::vector<std::string> mail_exchangers(std::vector<ResourceRecord> records, std::string_view own,
                                         const Chance& chance);

// The servers of SRV records, by priority, and by weight among equals (RFC 2782). None where the service is
// said not to be there ("."). What names no host or no port is left out.
std::vector<ResourceRecord> servers(std::vector<ResourceRecord> records, const Chance& chance);

// "_submissions._tcp.example.net": whose SRV records name the servers for submission with implicit TLS, or
// with STARTTLS (RFC 6186 3.1, RFC 8314 5.1).
std::string submission_service(bool implicit_tls, std::string_view domain);

// Whether a host is the domain or below it. Case does not matter.
bool is_below(std::string_view host, std::string_view domain);

}  // namespace relayd::dns
