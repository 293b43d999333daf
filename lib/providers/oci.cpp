// Oracle Cloud, Email Delivery.
//
// docs.oracle.com, Email/Concepts/troubleshooting, as of 21 November 2026.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers oci() {
  using namespace rows;
  using enum smtp::ReplyClass;
  return {{
      .name = "oci",
      .replies =
          {
              // Limits are of the tenancy; the wrong logins, of our address.
              {sending, code(455), no_matter, "messages sent per minute", rate},
              {sending, code(455), no_matter, "messages sent per day", quota},
              {any, code(421), no_matter, "too many auth failures", auth, our_address},
              {only(Stage::final_dot), code(254), no_matter, "", suppressed},
          },
  }};
}

}  // namespace relayd::providers
