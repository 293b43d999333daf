// relayd explain: what becomes of a message: whom it is for, where it goes, and what leaves there; without a
// daemon and without sending.
//
// It asks what the daemon asks, and tells no story of its own. Of secrets and keys it says only where they
// are.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "commands.hpp"
#include "explain_message.hpp"
#include "relay/access.hpp"
#include "relay/setup.hpp"
#include "relay/tables.hpp"
#include "rewrite/copies.hpp"
#include "rewrite/staging.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/address.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using route::line;

// What stands outside the message and says who gets it.
struct World {
  const config::Config& config;
  const AliasesResult& aliases;
  const TablesResult& tables;
  const Access access{config.access, tables.tables};

  std::string by_table(const std::string& name, std::string_view key) const {
    const TablePlace place = place_of_key(config, *tables.tables, name, key);
    return fmt::format("{}:{} ({})", place.file, place.where.line, key);
  }
};

// The rule of `access`, if there is one.
void explain_access(const World& world, const Access::Found& found, std::string_view address,
                    std::string& text) {
  if (!found.rule) return;
  const std::string by = found.rule->table.empty() ? fmt::format("'{}'", found.rule->match)
                                                   : world.by_table(found.rule->table, found.key);
  line(text, "access", fmt::format("{} {} by {}", word_for(found.verdict), address, by));
}

// Each alias on the way with its place, and the end.
std::vector<rewrite::Aliases::Target> explain_aliases(const World& world, const std::string& recipient,
                                                      std::string& text) {
  const AliasesResult& made = world.aliases;
  const auto on_step = [&](std::string_view address, std::optional<std::size_t> alias, std::string_view key) {
    if (!alias)
      return line(text, "alias",
                  fmt::format("{} by {}", address, world.by_table(world.config.aliases_table, key)));
    const TablePlace& place = made.places[*alias];
    line(
        text, "alias",
        fmt::format("{} by {}:{} ({})", address, place.file, place.where.line, (*made.aliases)[*alias].name));
  };
  const auto targets = made.aliases->targets(recipient, on_step);
  if (!targets)
    line(text, "becomes",
         fmt::format("more than {} addresses or steps, or a value of a table that names none: 451 4.6.0",
                     rewrite::Aliases::most));
  return targets.value_or(std::vector<rewrite::Aliases::Target>());
}

// Whom the message is for in the end.
std::vector<mail::Recipient> explain_recipient(const World& world, const Explained& explained,
                                               const std::string& given) {
  const config::Config& config = world.config;
  const std::string recipient = mail::qualified(given, config.origin);
  std::string text = fmt::format("recipient  {}\n", recipient);
  const std::string taken = explained.taken(rewrite::AddressClass::recipient, recipient, text);
  explain_access(world, world.access.rule_of_recipient(taken), taken, text);
  std::vector<mail::Recipient> recipients;
  const auto add = [&](const std::string& address, bool with_owners) {
    for (rewrite::Aliases::Target& target : explain_aliases(world, address, text))
      recipients.push_back(
          {std::move(target.address), {}, {}, with_owners ? std::move(target.owner) : std::string()});
  };
  add(taken, !explained.sender().empty());
  for (const mail::Recipient& target : recipients)
    if (target.address != taken)
      explain_access(world, world.access.rule_of_recipient(target.address), target.address, text);
  const rewrite::Copies copies(config.bcc, world.tables.tables);
  const Result<std::vector<rewrite::Copy>> given_copies = copies.of(explained.sender(), recipients);
  if (!given_copies) line(text, "copy", given_copies.error() + ": 451 4.6.0");
  for (const rewrite::Copy& copy : given_copies ? *given_copies : std::vector<rewrite::Copy>()) {
    const std::string by = copy.rule->table.empty() ? fmt::format("{}:{}", config.file, copy.rule->where.line)
                                                    : world.by_table(copy.rule->table, copy.key);
    line(text, "copy", fmt::format("{} by {}", copy.address, by));
    add(explained.taken(rewrite::AddressClass::recipient, copy.address, text), false);
  }
  rewrite::unite(recipients);
  if (config.staging)
    for (const mail::Recipient& replaced : rewrite::Staging(*config.staging).replace(recipients))
      line(text, "staging", fmt::format("in place of {}", replaced.address));
  for (const mail::Recipient& one : recipients)
    line(text, "becomes",
         one.owner.empty() ? one.address : fmt::format("{} from {}", one.address, one.owner));
  fmt::print("{}", shown_lines(text));
  return recipients;
}

// Mail to a list goes as its owner's does. False: an owner's goes nowhere, and RCPT is refused.
bool explain_owners(const route::Router& router, const std::vector<mail::Recipient>& recipients) {
  std::set<std::string> owners;
  for (const mail::Recipient& recipient : recipients) owners.insert(recipient.owner);
  owners.erase("");
  for (const std::string& owner : owners)
    fmt::print("list       its mail leaves from {}\n{}", shown(owner),
               shown_lines(route::explain(router, owner)));
  return std::ranges::none_of(
      owners, [&router](const std::string& owner) { return router.route(owner).choices.empty(); });
}

// Without them it would tell another story than the daemon, who can.
bool can_read_rules(const config::Config& config) {
  if (config.senders_file.empty() || ::access(config.senders_file.c_str(), R_OK) == 0) return true;
  print({{config.file, config.senders_file_where,
          fmt::format("cannot read {}: {}", config.senders_file, std::strerror(errno))}});
  return false;
}

}  // namespace

int explain(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config || !can_read_rules(*config)) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  const TablesResult tables = make_tables(*config);
  const AliasesResult aliases = make_aliases(*config, tables.tables);
  const std::vector<config::Diagnostic> values = check_values(*config, *tables.tables);
  const auto all = {&built.errors, &tables.errors, &aliases.errors, &values};
  for (const auto* errors : all) print(*errors);
  if (!std::ranges::all_of(all, [](const auto* errors) { return errors->empty(); })) return EX_CONFIG;
  const World world{*config, aliases, tables};
  std::string text;
  if (config->staging)
    text = fmt::format("staging    all mail goes to {}, but for recipients that 'allow' names\n",
                       config->staging->redirect);
  Explained explained(built.router, tables.tables, mail::qualified(options.sender, config->origin), text);
  explain_access(world, world.access.rule_of_sender(explained.sender()), explained.sender(), text);
  if (!options.message.empty() && !explained.read(options.message, text)) return EX_NOINPUT;
  fmt::print("{}", shown_lines(text));
  std::vector<mail::Recipient> recipients;
  if (!options.recipient.empty()) recipients = explain_recipient(world, explained, options.recipient);
  explained.recipients(recipients);
  const std::string sender = explained.routing_sender();
  fmt::print("{}{}", shown_lines(route::explain(*built.router, sender)), shown_lines(explained.departures()));
  const bool has_ways = explain_owners(*built.router, recipients);
  if (world.access.sender(explained.sender()) == config::AccessVerdict::reject)
    fmt::print("refused    the mail is not taken: 'access' rejects its sender\n");
  return built.router->route(sender).choices.empty() || !has_ways ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
