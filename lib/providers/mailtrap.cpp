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
      .control = {.fields = {{"X-MT-Category", true}, {"X-MT-Custom-Variables", true}, {"X-MT-*"}},
                  .tag = {.name = "X-MT-Category"}},
      .domain = "mailtrap.io",
  }};
}

}  // namespace relayd::providers
