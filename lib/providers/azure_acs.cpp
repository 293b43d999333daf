// Azure Communication Services. Its one row is in no document that was read.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers azure_acs() {
  return {{
      .name = "azure-acs",
      .replies = {{rows::sending, rows::code(451), {4, 5, 127}, "", smtp::ReplyClass::rate}},  // guess
  }};
}

}  // namespace relayd::providers
