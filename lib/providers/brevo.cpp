// Brevo: the header fields that it acts on, which are a guess.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers brevo() {
  return {{
      .name = "brevo",
      .control = {.fields = {{"X-Mailin-Tag", true}, {"X-Mailin-*"}}},
      .domain = "brevo.com",
  }};
}

}  // namespace relayd::providers
