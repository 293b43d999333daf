// What a token server answers, as values (RFC 6749 5), read strictly.
//
// Pure; fuzzed. What a server says of itself is bounded and escaped before it is part of a text.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "shared/base/secret.hpp"
#include "shared/base/time.hpp"
#include "shared/http/message.hpp"

namespace relayd::oauth {

inline constexpr std::size_t most_body = 64 * 1024;      // octets of an answer
inline constexpr std::size_t most_token = 16 * 1024;     // octets of a token
inline constexpr std::chrono::seconds usual_life{3600};  // where the server does not say
inline constexpr std::chrono::hours longest_life{24 * 365};

struct Grant {
  Secret access_token;
  std::chrono::seconds life = usual_life;
  Secret refresh_token;  // empty: the old one stays
};

struct Refusal {
  std::string error = {};        // "invalid_grant"; empty: no token server said that
  unsigned code = 0;             // the first of Microsoft's numbers, AADSTS…; 0: none
  std::string description = {};  // for people: one line, at most 512 octets of what was said, escaped
  std::string trace_id = {};
  std::string correlation_id = {};
  bool temporary = false;                         // the same request may be taken later
  std::optional<std::chrono::seconds> wait = {};  // as the server asked
};

using Reply = std::variant<Grant, Refusal>;

Reply parse_reply(const http::Response& response, WallTime now);

// How far our clock is ahead of the server's, by the Date of its answer; nothing: it has none.
std::optional<std::chrono::seconds> clock_skew(const http::Response& response, WallTime now);

// What a command prints for a token: the token alone, or the JSON of a reply. `bare` then: it was alone.
struct Printed {
  Reply reply;
  bool bare = false;
};
Printed parse_printed(std::string_view text);

// At most 512 octets of a text, escaped.
std::string excerpt(std::string_view text);

}  // namespace relayd::oauth
