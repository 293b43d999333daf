// relayd version: what this binary is made of.
#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"
#include "shared/net/tls.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::command {

int version() {
  fmt::print("relayd {} ({})\n{}\nSASL as server: {}\n", RELAYD_VERSION, RELAYD_COMMIT, net::tls_library(),
             sasl::server_mechanisms());
  return EX_OK;
}

}  // namespace relayd::command
