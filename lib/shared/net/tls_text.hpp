// What a TLS failure means, in words for the person who can mend it. Used by tls.cpp alone.
#pragma once

#include <string>

#include "shared/async/dialer.hpp"

struct ssl_st;
struct x509_st;

namespace relayd::net {

// Takes the oldest error off BoringSSL's queue of this thread and clears the rest: "WRONG_VERSION_NUMBER".
std::string take_library_error();

// The peer's certificate, also when it was not accepted; null when there was none. Not owned by the caller.
x509_st* peer_leaf(const ssl_st* ssl);

// Why a certificate was refused (an X509_V_ERR_ code), and what to change.
std::string certificate_problem(long verdict, x509_st* leaf, const async::TlsPolicy& policy);

}  // namespace relayd::net
