// SASL (RFC 4422) as SMTP AUTH uses it: one exchange, base64 in, base64 out. Mechanisms by libgsasl, but for
// PLAIN and LOGIN of a server.
//
// Stands under send (client) and accept (server). Knows no sockets and no SMTP codes. A step may take
// milliseconds (SCRAM derives a key): run it on a helper thread when needs_derivation() says so. The
// mechanisms are those of mechanism.hpp; what else the library could do stays off.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shared/base/channel_binding.hpp"
#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/sasl/mechanism.hpp"

namespace relayd::sasl {

struct Credential {
  std::string username;
  Secret password;
};

// Picks the first of `preferred` that the server `offered` (any case), that is not among the `refused`, and
// that can be done: -PLUS needs a channel binding.
std::optional<Mechanism> choose(const std::vector<Mechanism>& preferred,
                                const std::vector<std::string>& offered,
                                const std::optional<ChannelBinding>& binding = {},
                                const std::vector<Mechanism>& refused = {});

class Client {
 public:
  // Only -PLUS looks at the binding. EXTERNAL asks for the username as the identity to act as, or for
  // whatever the certificate stands for when there is none (RFC 4422 A). Mechanisms that take a token are
  // not for it: see bearer.hpp.
  Client(Mechanism mechanism, const Credential& credential,
         const std::optional<ChannelBinding>& binding = {});
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

// What a server may keep instead of a password (RFC 5803): enough to check one, not to log in with.
struct ScramSecret {
  unsigned iterations = 0;
  std::string salt;        // octets
  std::string stored_key;  // 32 octets
  std::string server_key;  // 32 octets
};

// "SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY" in base64. Takes 4096 (RFC 7677 4) to 600000 iterations.
Result<ScramSecret> parse_scram_secret(std::string_view text);
// The same of a password, for an operator to keep. An empty salt: 16 random octets. May take long, as the
// iterations want it. Fails for what parse_scram_secret would not take, and for a password that SASLprep
// (RFC 4013) forbids.
Result<std::string> make_scram_secret(const Secret& password, unsigned iterations = 4096,
                                      std::string salt = {});

// For a name that nobody has, what looks like a kept secret: the same for a name as long as the process
// lives, and of no password. None of its salt tells its keys.
ScramSecret made_up_secret(std::string_view name, unsigned iterations);

class Server {
 public:
  // What an account logs in with: a clear password or what was made of one.
  using Stored = std::variant<Secret, ScramSecret>;
  // Nothing when there is no such user.
  using Lookup = std::function<std::optional<Stored>(std::string_view username)>;

  // `mechanism` is one of server_mechanisms(). `binding` is that of the connection; a client that could have
  // used it and was made to believe that we offer no -PLUS is refused (RFC 5802 6).
  Server(Mechanism mechanism, Lookup lookup, std::optional<ChannelBinding> binding = {});
  ~Server();

  struct Step {
    enum class Kind { challenge, success, failure } kind;
    std::string
        text;  // challenge: base64 to send; success: for SCRAM, base64 that must be sent and answered first
    bool malformed = false;  // failure: the response was no base64 or no message of the mechanism
  };
  // What the AUTH command brought: the initial response in base64, empty for "=", or none (RFC 4954 4).
  Step begin(const std::optional<std::string>& initial_response);
  // True: the next step, or begin(), may derive a key.
  bool needs_derivation() const;
  // The client's response, base64. A malformed one is a failure too.
  Step step(std::string_view response);

  // Who the client says it is; proved only after success.
  const std::string& username() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// The mechanisms a Server can do, for the EHLO reply: "SCRAM-SHA-256 PLAIN LOGIN". -PLUS only where the
// connection has a channel binding.
std::string server_mechanisms(bool can_bind = false);

}  // namespace relayd::sasl
