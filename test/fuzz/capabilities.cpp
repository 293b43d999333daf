#include "shared/smtp/capabilities.hpp"

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

void capabilities(std::string_view input) {
  const smtp::Reply ehlo{250, {}, std::string(input)};
  const smtp::Capabilities found = smtp::parse_capabilities(ehlo);
  demand(found.size || found.size_limit == 0, "no limit without SIZE");
  for (const std::string& mechanism : found.auth) {
    demand(!mechanism.empty(), "every mechanism has a name");
    demand(mechanism == ascii::upper(mechanism), "mechanisms are in upper case");
    demand(mechanism.find_first_of(" \n") == std::string::npos, "a mechanism is one word");
  }
}

}  // namespace relayd::fuzz
