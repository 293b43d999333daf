// Tokens: where a login gets its access token (RFC 6749).
//
// Fifth stage of the path; asked by a login, implemented by the relay, which keeps and renews tokens. On the
// loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shared/async/task.hpp"
#include "shared/base/secret.hpp"
#include "shared/base/time.hpp"

namespace relayd::send {

struct Token {
  Secret text;
  std::uint64_t serial = 0;              // of this token; another one has another
  std::optional<SteadyTime> until = {};  // its end; nothing: not known
};

// Why there is no token.
struct NoToken {
  std::string text;        // what the operator reads, with what to change
  bool temporary = false;  // the token's server cannot be reached, or asks to wait; else it refuses
  std::optional<std::chrono::seconds> wait = {};  // as it asked
};

class Tokens {
 public:
  virtual ~Tokens() = default;

  struct Answer {
    std::optional<Token> token;
    NoToken why;  // without a token
  };
  // The token for `user`. `refused`: the serial of one that the server has just refused. Another one comes
  // back then, or the same where none may be asked for so soon.
  virtual async::Task<Answer> token(std::string user, std::optional<std::uint64_t> refused) = 0;
};

}  // namespace relayd::send
