// ChannelBinding: what ties a login to the TLS connection that it is made on (RFC 5056).
//
// A stream gives it, SASL mechanisms whose names end in -PLUS need it. It is no secret, and good for its
// connection alone.
#pragma once

#include <string>

namespace relayd {

struct ChannelBinding {
  std::string type;  // "tls-exporter" (RFC 9266) or "tls-unique" (RFC 5929)
  std::string data;  // octets
};

}  // namespace relayd
