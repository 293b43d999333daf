// Session: one exchange of libgsasl, and the little else that we take from it, as values of our own.
//
// Stands under Client and Server. The library asks for what it needs; what is neither set nor provided, it
// does without. Private to this room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::sasl {

std::optional<std::string> decode(std::string_view base64);
std::string encode(std::string_view bytes);
std::string random_octets(std::size_t count);

// SCRAM-SHA-256 (RFC 5802 3); 32 octets each.
struct ScramKeys {
  std::string salted_password;
  std::string stored_key;
  std::string server_key;
};
// Fails for a password that SASLprep forbids.
Result<ScramKeys> derive(std::string_view password, std::string_view salt, unsigned iterations);

enum class Property {
  username,
  authorization_identity,
  password,
  tls_exporter,  // base64, as all the following are but the count
  tls_unique,
  iterations,
  salt,
  stored_key,
  server_key,
};

class Session {
 public:
  enum class Side { client, server };
  // Sets the property that the library asks for and returns true.
  using Provide = std::function<bool(Property)>;

  // Throws std::logic_error when the library does not have the mechanism.
  Session(Side side, const char* mechanism, Provide provide = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void set(Property property, std::string_view value);
  std::string get(Property property) const;  // empty: not set

  enum class Outcome { done, goes_on, unproved, malformed, fault };
  struct Step {
    Outcome outcome;
    std::string output;  // octets to send, for done and goes_on
    std::string reason;  // in the library's words, for the others
  };
  Step step(std::string_view input);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace relayd::sasl
