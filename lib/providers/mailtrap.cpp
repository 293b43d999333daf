// Mailtrap.
//
// github.com/mailtrap/mailtrap-docs, as of 21 November 2026.
#include "providers/provider.hpp"

namespace relayd::providers {

Providers mailtrap() {
  using namespace rows;
  return {{
      .name = "mailtrap",
      // Its 535 is not the password alone.
      .replies = {{only(Stage::auth), code(535), no_matter, "too many connections", smtp::ReplyClass::conn}},
  }};
}

}  // namespace relayd::providers
