// relayd explain: the routing decision for a sender, without a daemon and without sending.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"
#include "shared/mail/address.hpp"

namespace relayd::command {

int explain(const Options& options) {
  const SetupResult result = make_setup(config_file(options));
  if (!result.setup) {
    print(result);
    return EX_CONFIG;
  }
  const route::Router& router = *result.setup->router;
  const std::string sender = mail::qualified(options.sender, result.setup->config->origin);
  fmt::print("{}", route::explain(router, sender));
  return router.route(sender).choices.empty() ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
