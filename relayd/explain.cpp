// relayd explain: the routing decision for a sender, without a daemon and without sending.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"

namespace relayd::command {

int explain(const Options& options) {
  const SetupResult result = make_setup(config_file(options));
  if (!result.setup) {
    print(result);
    return EX_CONFIG;
  }
  const route::Router& router = *result.setup->router;
  fmt::print("{}", route::explain(router, options.sender));
  return router.route(options.sender).choices.empty() ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
