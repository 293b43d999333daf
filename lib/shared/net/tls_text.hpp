// What a TLS failure means, in words for the person who can mend it. Used by tls*.cpp alone.
#pragma once

#include <string>

#include "shared/async/dialer.hpp"

struct x509_st;
struct x509_store_ctx_st;

namespace relayd::net {

bool is_ip_literal(const std::string& name);

// Takes the oldest error off BoringSSL's queue of this thread and clears the rest: "WRONG_VERSION_NUMBER".
std::string take_library_error();

// The same for a connection of ours to a server. `certificate_asked`: the server wanted one from us.
std::string take_client_error(const async::TlsPolicy& policy, bool certificate_asked);

// Why a verification failed, and what to change.
std::string certificate_problem(x509_store_ctx_st* failed, const async::TlsPolicy& policy);

// The key is none of the pinned ones; `seen` is its SHA-256.
std::string pin_problem(const std::string& seen);

// Whom a certificate is for, on one line of printable characters.
std::string subject_text(x509_st* certificate);

}  // namespace relayd::net
