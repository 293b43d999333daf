// SASL (RFC 4422) as SMTP AUTH uses it: one exchange, base64 in, base64 out. Mechanisms by libgsasl.
//
// Stands under send (client) and accept (server). Knows no sockets and no SMTP codes. A step may take
// milliseconds (SCRAM derives a key): run it on a helper thread when needs_derivation() says so. Only the
// mechanisms of the table in sasl.cpp exist; what else the library could do stays off.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"

namespace relayd::sasl {

struct Credential {
  std::string username;
  Secret password;
};

// Picks the first of `preferred` (lower case) that the server `offered` (any case) and we know. Empty: none.
std::string choose(const std::vector<std::string>& preferred, const std::vector<std::string>& offered);
bool is_known(std::string_view mechanism);

class Client {
 public:
  // `mechanism` is a known one, any case.
  Client(std::string_view mechanism, const Credential& credential);
  ~Client();

  // True: the first response goes with the AUTH command (RFC 4954 4).
  bool has_initial_response() const;
  // True: the next step may derive a key and belongs on a helper thread.
  bool needs_derivation() const;

  // The response to a challenge; both base64, either may be empty. An error means: cancel with "*", and do
  // not trust the server (a SCRAM signature or nonce was wrong, the iteration count out of bounds) or the
  // credential cannot be used.
  Result<std::string> step(std::string_view challenge);

  // After 235: the mechanism has run to its end and the server proved what it must (RFC 5802 5).
  bool complete() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

class Server {
 public:
  // The clear-text password of a user, or nothing when there is no such user.
  using Lookup = std::function<std::optional<Secret>(std::string_view username)>;

  Server(std::string_view mechanism, Lookup lookup);
  ~Server();

  struct Step {
    enum class Kind { challenge, success, failure } kind;
    std::string
        text;  // challenge: base64 to send; success: for SCRAM, base64 that must be sent and answered first
    bool malformed = false;  // failure: the response was no base64 or no message of the mechanism
  };
  // What the AUTH command brought: the initial response in base64, empty for "=", or none (RFC 4954 4).
  Step begin(const std::optional<std::string>& initial_response);
  bool needs_derivation() const;
  // The client's response, base64. A malformed one is a failure too.
  Step step(std::string_view response);

  // Who the client says it is; proved only after success.
  const std::string& username() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The mechanisms a Server can do, for the EHLO reply: "PLAIN LOGIN SCRAM-SHA-256".
std::string server_mechanisms();

}  // namespace relayd::sasl
