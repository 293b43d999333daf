// relayd explain: the routing decision for a sender, and the aliases of a recipient; without a daemon and
// without sending.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"
#include "shared/mail/address.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

// What becomes of a recipient: each alias on the way with its place, and the end. False: the aliases are in
// error.
bool explain_recipient(const config::Config& config, const std::string& given) {
  const AliasesResult made = make_aliases(config);
  print(made.errors);
  if (!made.errors.empty()) return false;
  const std::string recipient = mail::qualified(given, config.origin);
  std::string text = fmt::format("recipient  {}\n", recipient);
  const auto targets = made.aliases->expand(recipient, [&](std::string_view address, std::size_t alias) {
    const AliasPlace& place = made.places[alias];
    text += fmt::format("   {:<10} {} by {}:{} ({})\n", "alias", address, place.file, place.where.line,
                        (*made.aliases)[alias].name);
  });
  if (!targets)
    text += fmt::format("   {:<10} more than {} addresses or steps: 451 4.6.0\n", "becomes",
                        rewrite::Aliases::most);
  for (const std::string& target : targets.value_or(std::vector<std::string>()))
    text += fmt::format("   {:<10} {}\n", "becomes", target);
  fmt::print("{}", shown_lines(text));
  return true;
}

}  // namespace

int explain(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  if (!built.router) return EX_CONFIG;
  const route::Router& router = *built.router;
  if (!options.recipient.empty() && !explain_recipient(*config, options.recipient)) return EX_CONFIG;
  const std::string sender = mail::qualified(options.sender, config->origin);
  fmt::print("{}", shown_lines(route::explain(router, sender)));
  return router.route(sender).choices.empty() ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
