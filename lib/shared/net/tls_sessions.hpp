// TlsSessions: what servers gave us to shorten the next handshake, until it is used. Used by tls.cpp alone.
//
// Belongs to one client context, so that a session never meets another policy than its own; within it a
// session is for one host, port and account. In memory only, bounded. A ticket of TLS 1.3 is handed out once
// (RFC 8446 C.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

struct ssl_session_st;

namespace relayd::net {

// Who is reached, and for whom.
struct TlsPeer {
  std::string host;
  std::uint16_t port = 0;
  std::string account;
  auto operator<=>(const TlsPeer&) const = default;
};

struct FreeTlsSession {
  void operator()(ssl_session_st* session) const;
};
using TlsSession = std::unique_ptr<ssl_session_st, FreeTlsSession>;

class TlsSessions {
 public:
  static constexpr std::size_t peers_limit = 128;
  static constexpr std::size_t tickets_limit = 4;  // of one peer

  void put(const TlsPeer& peer, TlsSession session);
  // The newest; null when there is none.
  TlsSession take(const TlsPeer& peer);
  // After a handshake that failed: the next one is a full one.
  void forget(const TlsPeer& peer) { entries_.erase(peer); }

 private:
  struct Entry {
    std::deque<TlsSession> sessions;  // newest last; never empty
    std::uint64_t age = 0;            // smaller is older
  };
  void make_room();

  std::map<TlsPeer, Entry> entries_;
  std::uint64_t clock_ = 0;
};

}  // namespace relayd::net
