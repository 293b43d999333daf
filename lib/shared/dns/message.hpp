// Answers of DNS as they come over the wire (RFC 1035 4.1): what they say of the one name that was asked for.
//
// Stands between net::DnsClient and those who asked. Pure; every octet comes from a stranger.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::dns {

enum class RecordType : std::uint16_t { cname = 5, mx = 15, txt = 16, srv = 33 };

// A record of a name; which members it has, its type says.
struct ResourceRecord {
  std::uint16_t preference = 0;  // of MX; of SRV its priority
  std::uint16_t weight = 0;      // of SRV
  std::uint16_t port = 0;        // of SRV
  std::string data;              // of MX and SRV the host, empty for the root; of TXT its strings, joined
  bool operator==(const ResourceRecord&) const = default;
};

// What an answer says of a name.
struct Told {
  std::string name;    // the end of its CNAMEs
  bool exists = true;  // false: there is no such name (NXDOMAIN), as the caller was told
  std::vector<ResourceRecord> records = {};  // of that name
  std::uint32_t ttl = 0;  // seconds, the least of all that led to the records; at most a day
};

// A name in lower case, without a final dot, empty for the root. An octet that no name of a host has is
// written as "\DDD" (RFC 1035 5.1), so that none is taken for another. `place` moves behind it. Nothing: it
// is none, or its pointers lead in a circle (RFC 1035 4.1.4).
Result<std::string> read_name(std::string_view message, std::size_t& place);

// `asked`: in lower case, without a final dot. Nothing of a record counts that belongs to another name. An
// error, in words: it is no answer to this.
Result<Told> read_answer(std::string_view message, std::string_view asked, RecordType type);

}  // namespace relayd::dns
