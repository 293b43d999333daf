// What DNS says of the TXT records of a name, and the names under which the records of a sender stand.
//
// Stands between the look-ups of shared/net and the checks of this room, which are pure: answers in, findings
// out. What an answer holds comes from strangers.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::dns {

struct Answer {
  enum class Kind { texts, nothing, failed };  // `nothing`: no such name, or no TXT record there
  Kind kind = Kind::nothing;
  std::vector<std::string> texts = {};  // of `texts`: one for each record, its strings joined
  std::string problem = {};             // of `failed`: why nobody knows, in words
};

// By name, in lower case and without a final dot.
using Answers = std::map<std::string, Answer, std::less<>>;

// "s1._domainkey.example.com" (RFC 6376 3.6.2.1).
std::string dkim_name(std::string_view selector, std::string_view domain);

// "_dmarc.example.com" (RFC 9989 4.5).
std::string dmarc_name(std::string_view domain);

}  // namespace relayd::dns
