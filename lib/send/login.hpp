// Login: AUTH as an SMTP client (RFC 4954), with the mechanisms and passwords that are there to be tried.
//
// Fifth stage of the path; a part of SmtpTransport's dialogue. A password is sent over verified TLS or to
// loopback alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "send/conversation.hpp"
#include "shared/async/workers.hpp"
#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"

namespace relayd::send {

struct Credential {
  std::string username;
  // In order of trial: the second only after the server refused the first, so that passwords can be changed
  // on both sides without a moment that fits.
  std::vector<Secret> passwords;
};

// Fetches the credential; runs on a helper thread, for files and commands block.
using FetchCredential = std::function<Result<Credential>()>;

struct LoginTerms {
  std::vector<std::string> mechanisms;  // lower case, in order of preference
  std::vector<std::string> offered;     // by the server, after TLS
  bool clear_password_allowed = false;  // the host is loopback
};

struct LoginResult {
  std::optional<Event> failure;  // nothing: logged in
  std::size_t password = 0;      // which one it was
};

// The strongest mechanism first; the next one when the server turns out not to do it. The terms, the fetcher
// and all else outlive the call. Throws IoError.
async::Task<LoginResult> log_in(Conversation& conversation, async::Workers& workers, const LoginTerms& terms,
                                const FetchCredential& fetch);

}  // namespace relayd::send
