// Mechanism: the SASL mechanisms that may be used, and their names. A plain value.
//
// Everything else that libgsasl knows (NTLM, GSSAPI, DIGEST-MD5, …) cannot be reached. What there is to know
// of each stands in mechanism.cpp.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/ascii.hpp"
#include "shared/base/words.hpp"

namespace relayd::sasl {

// Strongest first.
enum class Mechanism {
  scram_sha_256_plus,  // RFC 7677
  scram_sha_256,       // RFC 7677
  scram_sha_1_plus,    // RFC 5802
  scram_sha_1,         // RFC 5802
  plain,               // RFC 4616
  login,               // no RFC; draft-murchison-sasl-login
  cram_md5,            // RFC 2195; only where it is named
  external,            // RFC 4422 A; only where it is named
  xoauth2,             // no RFC; Google's and Microsoft's pages. With a token only; see bearer.hpp
  oauthbearer,         // RFC 7628; with a token only
};

// As the configuration has them; any case is taken.
constexpr auto words_of(Mechanism) {
  using enum Mechanism;
  return std::to_array<Word<Mechanism>>({{"scram-sha-256-plus", scram_sha_256_plus},
                                         {"scram-sha-256", scram_sha_256},
                                         {"scram-sha-1-plus", scram_sha_1_plus},
                                         {"scram-sha-1", scram_sha_1},
                                         {"plain", plain},
                                         {"login", login},
                                         {"cram-md5", cram_md5},
                                         {"external", external},
                                         {"xoauth2", xoauth2},
                                         {"oauthbearer", oauthbearer}});
}
constexpr std::string_view to_string(Mechanism mechanism) {
  return word_for(mechanism);
}

// It logs in with an access token, and no other does.
constexpr bool takes_token(Mechanism mechanism) {
  return mechanism == Mechanism::xoauth2 || mechanism == Mechanism::oauthbearer;
}

// On the wire: "SCRAM-SHA-256".
inline std::string wire_name(Mechanism mechanism) {
  return ascii::upper(to_string(mechanism));
}

// Any case. Nothing for an unknown one.
inline std::optional<Mechanism> find_mechanism(std::string_view name) {
  return find_word<Mechanism>(ascii::lower(name));
}

// "plain, login"
inline std::string to_string(const std::vector<Mechanism>& mechanisms) {
  std::string text;
  for (const Mechanism one : mechanisms) text.append(text.empty() ? "" : ", ").append(to_string(one));
  return text;
}

}  // namespace relayd::sasl
