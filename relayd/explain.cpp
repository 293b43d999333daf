// relayd explain: what becomes of a message: whom it is for, where it goes, and what leaves there; without a
// daemon and without sending.
//
// It asks what the daemon asks, and tells no story of its own. Of secrets and keys it says only where they
// are.
#include "route/explain.hpp"

#include <fmt/format.h>
#include <sysexits.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "commands.hpp"
#include "explain_message.hpp"
#include "relay/tables.hpp"
#include "rewrite/copies.hpp"
#include "rewrite/staging.hpp"
#include "shared/mail/address.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

void line(std::string& text, std::string_view key, std::string_view value) {
  fmt::format_to(std::back_inserter(text), "   {:<10} {}\n", key, value);
}

// Each alias on the way with its place, and the end.
std::vector<std::string> explain_aliases(const AliasesResult& made, const std::string& recipient,
                                         std::string& text) {
  const auto targets = made.aliases->expand(recipient, [&](std::string_view address, std::size_t alias) {
    const AliasPlace& place = made.places[alias];
    line(text, "alias",
         fmt::format("{} by {}:{} ({})", address, place.file, place.where.line, (*made.aliases)[alias].name));
  });
  if (!targets)
    line(text, "becomes", fmt::format("more than {} addresses or steps: 451 4.6.0", rewrite::Aliases::most));
  return targets.value_or(std::vector<std::string>());
}

// Whom the message is for in the end.
std::vector<mail::Recipient> explain_recipient(const config::Config& config, const AliasesResult& aliases,
                                               const Explained& explained, const std::string& given) {
  const std::string recipient = mail::qualified(given, config.origin);
  std::string text = fmt::format("recipient  {}\n", recipient);
  const std::string taken = explained.taken(rewrite::AddressClass::recipient, recipient, text);
  std::vector<mail::Recipient> recipients;
  const auto add = [&](const std::string& address) {
    for (std::string& target : explain_aliases(aliases, address, text))
      recipients.push_back({std::move(target), {}, {}});
  };
  add(taken);
  const rewrite::Copies copies(config.bcc);
  for (const std::string& copy : copies.of(explained.sender(), recipients)) {
    line(text, "copy", copy);
    add(explained.taken(rewrite::AddressClass::recipient, copy, text));
  }
  rewrite::unite(recipients);
  if (config.staging)
    for (const mail::Recipient& replaced : rewrite::Staging(*config.staging).replace(recipients))
      line(text, "staging", fmt::format("in place of {}", replaced.address));
  for (const mail::Recipient& one : recipients) line(text, "becomes", one.address);
  fmt::print("{}", shown_lines(text));
  return recipients;
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
  const AliasesResult aliases = make_aliases(*config);
  const TablesResult tables = make_tables(*config);
  for (const auto* errors : {&built.errors, &aliases.errors, &tables.errors}) print(*errors);
  if (!built.router || !aliases.errors.empty() || !tables.errors.empty()) return EX_CONFIG;
  std::string text;
  if (config->staging)
    text = fmt::format("staging    all mail goes to {}, but for recipients that 'allow' names\n",
                       config->staging->redirect);
  Explained explained(built.router, tables.tables, mail::qualified(options.sender, config->origin), text);
  if (!options.message.empty() && !explained.read(options.message, text)) return EX_NOINPUT;
  fmt::print("{}", shown_lines(text));
  if (!options.recipient.empty())
    explained.recipients(explain_recipient(*config, aliases, explained, options.recipient));
  const std::string sender = explained.routing_sender();
  fmt::print("{}{}", shown_lines(route::explain(*built.router, sender)), shown_lines(explained.departures()));
  return built.router->route(sender).choices.empty() ? EX_NOUSER : EX_OK;
}

}  // namespace relayd::command
