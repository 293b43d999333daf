// The default gateway: whose address all clients of a published container port seem to have.
#pragma once

#include <string>
#include <string_view>

namespace relayd::net {

// The gateway of the default route in a table as /proc/net/route has it, "172.17.0.1"; empty: there is none.
std::string default_gateway(std::string_view table);
// That of this machine, as it is now.
std::string default_gateway();

}  // namespace relayd::net
