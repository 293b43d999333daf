// SparkPost (Bird). Its one row is in no document that was read; what it documents fits the general rows.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers sparkpost() {
  using namespace rows;
  return {{
      .name = "sparkpost",
      .replies = {{sending, code(421), no_matter, "limit", smtp::ReplyClass::rate}},  // guess
      .control = {.fields = {{"X-MSYS-*"}}},  // X-MSYS-API: JSON; it can carry Cc, Bcc, an archive
      .domain = "sparkpostmail.com",
  }};
}

}  // namespace relayd::providers
