// relayd explain: the routing decision for a sender, without a daemon and without sending.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"
#include "shared/mail/address.hpp"
#include "shown.hpp"

namespace relayd::command {

int explain(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  if (!built.router) return EX_CONFIG;
  const route::Router& router = *built.router;
  const std::string sender = mail::qualified(options.sender, config->origin);
  fmt::print("{}", shown_lines(route::explain(router, sender)));
  return router.route(sender).choices.empty() ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
