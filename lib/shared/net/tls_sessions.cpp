#include "shared/net/tls_sessions.hpp"

#include <openssl/ssl.h>

#include <algorithm>

namespace relayd::net {

void FreeTlsSession::operator()(SSL_SESSION* session) const {
  SSL_SESSION_free(session);
}

void TlsSessions::put(const TlsPeer& peer, TlsSession session) {
  if (!entries_.contains(peer)) make_room();
  Entry& entry = entries_[peer];
  entry.age = ++clock_;
  // One of TLS 1.2 serves any number of connections: the newest is enough.
  const std::size_t limit = SSL_SESSION_should_be_single_use(session.get()) ? tickets_limit : 1;
  entry.sessions.push_back(std::move(session));
  while (entry.sessions.size() > limit) entry.sessions.pop_front();
}

TlsSession TlsSessions::take(const TlsPeer& peer) {
  const auto found = entries_.find(peer);
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (!SSL_SESSION_should_be_single_use(entry.sessions.back().get())) {
    SSL_SESSION_up_ref(entry.sessions.back().get());
    return TlsSession(entry.sessions.back().get());
  }
  TlsSession session = std::move(entry.sessions.back());
  entry.sessions.pop_back();
  if (entry.sessions.empty()) entries_.erase(found);
  return session;
}

void TlsSessions::make_room() {
  if (entries_.size() < peers_limit) return;
  entries_.erase(std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.age; }));
}

}  // namespace relayd::net
