// relayd explain: what becomes of a message: whom it is for, where it goes, and what leaves there; without a
// daemon and without sending. Of upstreams whose servers DNS names, it asks DNS for these.
//
// It asks what the daemon asks, and tells no story of its own. Of secrets and keys it says only where they
// are.
#include "explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "explain_live.hpp"
#include "explain_message.hpp"
#include "explain_servers.hpp"
#include "relay/access.hpp"
#include "relay/setup.hpp"
#include "relay/tables.hpp"
#include "rewrite/copies.hpp"
#include "rewrite/staging.hpp"
#include "route/explain.hpp"
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
                                               const std::string& given, std::string& out) {
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
  out += shown_lines(text);
  return recipients;
}

// An empty owner: those who are of no list.
std::vector<mail::Recipient> of_owner(const std::string& owner, std::vector<mail::Recipient> recipients) {
  std::erase_if(recipients, [&owner](const mail::Recipient& recipient) { return recipient.owner != owner; });
  return recipients;
}

// Mail to a list goes as its owner's does. False: an owner's goes nowhere, and RCPT is refused.
bool explain_owners(const route::Router& router, route::Mail mail,
                    const std::vector<mail::Recipient>& recipients, std::string& out) {
  std::set<std::string> owners;
  for (const mail::Recipient& recipient : recipients) owners.insert(recipient.owner);
  owners.erase("");
  bool have_ways = true;
  for (const std::string& owner : owners) {
    mail.sender = owner;
    const std::vector<std::string> members = addresses_of(of_owner(owner, recipients));
    out += fmt::format("list       its mail leaves from {}\n{}", shown(owner),
                       shown_lines(route::explain(router, mail, members)));
    for (const std::string& member : members) {
      mail.recipient = member;
      have_ways &= !router.route(mail).choices.empty();
    }
  }
  return have_ways;
}

// Without them it would tell another story than the daemon, who can.
std::vector<config::Diagnostic> unreadable_rules(const config::Config& config) {
  if (config.senders_file.empty() || ::access(config.senders_file.c_str(), R_OK) == 0) return {};
  return {{config.file, config.senders_file_where,
           fmt::format("cannot read {}: {}", config.senders_file, std::strerror(errno))}};
}

// None at all is a listener without a name.
bool has_listener(const config::Config& config, const std::string& name) {
  return name.empty() ||
         std::ranges::find(config.listeners, name, &config::Listener::name) != config.listeners.end();
}

}  // namespace

Explanation explanation_of(const std::shared_ptr<const config::Config>& config, const Options& options) {
  if (!has_listener(*config, options.listener))
    return {.exit_code = EX_USAGE,
            .errors = {{config->file, {}, fmt::format("no listener has the name '{}'", options.listener)}}};
  const TablesResult tables = make_tables(*config);
  const route::Router::Built built = route::Router::build(config, tables.tables);
  const AliasesResult aliases = make_aliases(*config, tables.tables);
  Explanation explanation{.errors = unreadable_rules(*config)};
  for (const auto& errors :
       {built.errors, tables.errors, aliases.errors, check_values(*config, *tables.tables)})
    explanation.errors.insert(explanation.errors.end(), errors.begin(), errors.end());
  explanation.exit_code = EX_CONFIG;
  if (!explanation.errors.empty()) return explanation;
  const World world{*config, aliases, tables};
  std::string text;
  if (config->staging)
    text = fmt::format("staging    all mail goes to {}, but for recipients that 'allow' names\n",
                       config->staging->redirect);
  Explained explained(built.router, tables.tables, mail::qualified(options.sender, config->origin), text);
  explain_access(world, world.access.rule_of_sender(explained.sender()), explained.sender(), text);
  explained.client(options.client, options.account, options.listener);
  explanation.exit_code = EX_NOINPUT;
  if (!options.message.empty() && !explained.read(options.message, text)) return explanation;
  std::string& out = explanation.text;
  out += shown_lines(text);
  std::vector<mail::Recipient> recipients;
  if (!options.recipient.empty()) recipients = explain_recipient(world, explained, options.recipient, out);
  explained.recipients(of_owner("", recipients));
  out += shown_lines(route::explain(*built.router, explained.mail(), explained.addresses()));
  out += shown_lines(explain_servers(explained.choices(), config->hostname));
  out += shown_lines(explained.departures());
  const bool is_told = !options.live || explain_lanes(daemon_socket(options, *config), explained.choices(),
                                                      explained.routing_sender(), out);
  const bool lists_have_ways = explain_owners(*built.router, explained.mail(), recipients, out);
  if (world.access.sender(explained.sender()) == config::AccessVerdict::reject)
    out += "refused    the mail is not taken: 'access' rejects its sender\n";
  const bool has_ways = explained.has_ways() && lists_have_ways;
  explanation.exit_code = !is_told ? EX_UNAVAILABLE : has_ways ? EX_OK : EX_NOUSER;
  return explanation;
}

int explain(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const Explanation explanation = explanation_of(config, options);
  print(explanation.errors);
  fmt::print("{}", explanation.text);
  return explanation.exit_code;
}

}  // namespace relayd::command
