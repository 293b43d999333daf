// Login: AUTH as an SMTP client (RFC 4954), with the mechanisms and the passwords or access tokens that are
// there to be tried.
//
// Fifth stage of the path; a part of SmtpTransport's dialogue. A password or token is sent over verified TLS
// or to loopback alone.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "send/conversation.hpp"
#include "send/tokens.hpp"
#include "shared/async/workers.hpp"
#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/sasl/mechanism.hpp"

namespace relayd::send {

struct Password {
  Secret secret;
  bool next = false;  // it is the one given as the next
};

struct Credential {
  std::string username;
  // In order of trial: the second only after the server refused the first, so that passwords can be changed
  // on both sides without a moment that fits.
  std::vector<Password> passwords;
  Tokens* tokens = nullptr;  // in place of passwords; outlives the connection. Null: there are passwords
};

// Fetches the credential; not on the loop's thread, for files and commands block.
using FetchCredential = std::function<async::Task<Result<Credential>>()>;

// Whether a 535 is about the password, and so a reason to try the next one; empty: it is. Providers use it
// for other refusals, too, which is settle's to know.
using BlamesPassword = std::function<bool(const smtp::Reply& reply)>;

struct LoginTerms {
  std::vector<sasl::Mechanism> mechanisms;  // in order of preference; all or none of them take tokens
  std::vector<std::string> offered;         // by the server, after TLS
  bool clear_password_allowed = false;      // the host is loopback
  BlamesPassword blames_password = {};
  std::string host = {};  // the server's, as OAUTHBEARER tells it
  std::uint16_t port = 0;
};

// How far a login has come. It may need another connection: a server may hang up on a wrong password before
// the next one is tried.
struct Login {
  std::optional<Credential> credential;  // once it was fetched
  std::size_t password = 0;              // the one to try; after a success, the one that was taken
  std::optional<Token> token;            // the same of tokens
  bool token_renewed = false;            // it came for one that the server had refused
  bool hung_up = false;                  // the last was refused; what is to be tried wants a new connection
};

// The strongest mechanism first; the next one when the server turns out not to do it. Nothing: logged in. The
// terms, the fetcher and all else outlive the call. Throws IoError.
async::Task<std::optional<Event>> log_in(Conversation& conversation, async::Workers& workers,
                                         const LoginTerms& terms, const FetchCredential& fetch, Login& login);

}  // namespace relayd::send
