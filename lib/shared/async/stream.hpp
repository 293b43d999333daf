// Stream: one connection to a peer, as a dialogue sees it: bytes in, bytes out, and TLS in between.
//
// net::Connection is the real one; test/support has a scripted one that splits, stalls or breaks at any byte.
// A Stream is owned by its dialogue and used by one coroutine at a time (a read and a write may be pending
// together). Every failure is an IoError; after one, the only useful call is close().
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "shared/async/task.hpp"
#include "shared/base/channel_binding.hpp"
#include "shared/base/time.hpp"

namespace relayd::async {

enum class IoFault {
  closed,       // the peer ended the connection in order (end of stream where more was due)
  reset,        // the connection broke
  timed_out,    // the deadline passed
  cancelled,    // close() was called by us meanwhile
  refused,      // connect: nobody listens
  unreachable,  // connect: no route, or no local address
  resolve,      // connect: the name has no address, or DNS gave no answer
  tls,          // handshake or certificate: the text says what a person can change
  protocol,     // what came makes no sense: nothing of this connection can be trusted any more
};

class IoError : public std::runtime_error {
 public:
  IoError(IoFault fault, const std::string& text) : std::runtime_error(text), fault_(fault) {}
  IoFault fault() const { return fault_; }

 private:
  IoFault fault_;
};

// What is known of the TLS layer of a stream; version empty while there is none.
struct TlsFacts {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  bool verified = false;  // the peer's certificate was checked and fits
  std::string peer_name;  // the name that was asked for (SNI), as client
  bool resumed = false;   // no full handshake; what was verified was verified again
  // When the certificate of a server ends, also of one that was refused; nothing: it showed none.
  std::optional<WallTime> certificate_until = {};
};

using relayd::ChannelBinding;

class Stream {
 public:
  virtual ~Stream() = default;

  // At least one byte, at most buffer.size(); 0 at the end of the stream. Throws IoError.
  // A peer that ends TLS has ended the stream: clear bytes are never read after it.
  virtual Task<std::size_t> read_some(std::span<char> buffer, Deadline deadline) = 0;

  // Octets have arrived that read_some() would give without waiting. Says nothing once TLS is active.
  virtual bool has_input() const { return false; }

  // All of it, or an IoError. `bytes` must stay valid until it returns.
  virtual Task<void> write(std::string_view bytes, Deadline deadline) = 0;

  // Handshake as this stream was set up (client: policy and name; server: certificates). The caller makes
  // sure that no clear byte is left in its own buffer. Throws IoError{tls}.
  virtual Task<void> start_tls(Deadline deadline) = 0;

  virtual const TlsFacts& tls() const = 0;

  // For SASL: tls-exporter with TLS 1.3 (RFC 9266), tls-unique with TLS 1.2 if it has an extended master
  // secret (RFC 5929, 7627); otherwise nothing.
  virtual std::optional<ChannelBinding> channel_binding() const { return std::nullopt; }

  // Address of the peer, for logs and Received fields: "127.0.0.1", "::1"; of a unix
  // socket's client the user, "uid:1000", or "unix" when it is not known.
  virtual const std::string& peer() const = 0;

  // A pending read ends with IoError{cancelled}; the stream stays usable. Nothing happens when none is
  // pending.
  virtual void interrupt() = 0;

  // Ends the connection now; pending calls end with IoError{cancelled}. May be called twice.
  virtual void close() = 0;
};

}  // namespace relayd::async
