// SocketLabs: the header field that it acts on, which is a guess. Each account has a host of its own.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers socketlabs() {
  return {{
      .name = "socketlabs",
      .control = {.fields = {{"X-xsMailingId", true}}},
  }};
}

}  // namespace relayd::providers
