// Handshakes: TLS handshakes of one kind, counted since the start, for the metrics.
//
// Owned by whoever has the connections (a listener, a site); on the loop's thread.
#pragma once

#include <cstdint>

#include "shared/async/stream.hpp"

namespace relayd::async {

struct Handshakes {
  std::uint64_t full = 0;
  std::uint64_t resumed = 0;
  std::uint64_t failed = 0;  // not those that we ended ourselves
};

// Stream::start_tls(), counted.
inline Task<void> start_tls(Stream& stream, Deadline deadline, Handshakes& counts) {
  try {
    co_await stream.start_tls(deadline);
  } catch (const IoError& error) {
    if (error.fault() != IoFault::cancelled) ++counts.failed;
    throw;
  }
  ++(stream.tls().resumed ? counts.resumed : counts.full);
}

}  // namespace relayd::async
