#include "route/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "route/oauth2.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/conditions.hpp"
#include "shared/config/environment.hpp"
#include "shared/config/table_path.hpp"
#include "shared/mail/field.hpp"

namespace relayd::route {

namespace {

// A line of the configuration, or of another file that it names.
struct Place {
  std::string_view file;  // empty: the configuration
  config::Location where;
};

// Ids of messages are times: their low bits say little. (The finaliser of SplitMix64.)
std::uint64_t spread(std::uint64_t number) {
  number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
  number = (number ^ number >> 27) * 0x94d049bb133111eb;
  return number ^ number >> 31;
}

struct Account {
  const Upstream* upstream;
  const config::SecretSource& password;
  const config::SecretSource& next_password;
  const config::OAuth2* oauth2;  // null: it has passwords
};

bool same_account(const Account& a, const Account& b) {
  if (a.oauth2 || b.oauth2) return a.oauth2 && b.oauth2 && same_credential(*a.oauth2, *b.oauth2);
  return a.password.is_same(b.password) && a.next_password.is_same(b.next_password);
}

}  // namespace

// Fills a Router; holds what is needed only for building.
class RouterBuilder {
 public:
  RouterBuilder(std::shared_ptr<const config::Config> config, std::shared_ptr<const table::Tables> tables)
      : router_(new Router) {
    router_->config_ = std::move(config);
    router_->tables_ = std::move(tables);
  }

  Router::Built build() {
    add_upstreams();
    // Growing step by step would go through all of them each time.
    const std::size_t rules = config().recipients.size() + config().senders.size();
    router_->rules_.reserve(rules);
    router_->choices_.reserve(rules);
    router_->way_of_.reserve(rules);
    router_->by_recipient_.reserve(config().recipients.size());
    router_->by_sender_.reserve(config().senders.size());
    accounts_.reserve(rules);
    ways_.reserve(rules);
    for (const config::SenderRule& rule : config().recipients) add_rule(rule, router_->by_recipient_);
    for (const config::SenderRule& rule : config().senders) add_rule(rule, router_->by_sender_);
    router_->by_recipient_.finish();
    router_->by_sender_.finish();
    add_table();
    router_->ways_ = 1 + ways_.size();
    if (errors_.empty()) return {std::move(router_), {}};
    config::speak_of_variables(config().file, errors_);
    return {nullptr, std::move(errors_)};
  }

 private:
  const config::Config& config() const { return *router_->config_; }

  void error(const Place& place, std::string text) {
    const std::string file(place.file.empty() ? config().file : place.file);
    errors_.push_back({file, place.where, std::move(text)});
  }

  void add_upstreams() {
    router_->upstreams_.reserve(config().upstreams.size());  // choices point at them
    for (const config::Upstream& settings : config().upstreams) {
      std::vector<std::string> faults;
      router_->upstreams_.push_back(effective_upstream(settings, faults));
      for (const std::string& fault : faults)
        error({{}, settings.where}, fmt::format("upstream '{}': {}", settings.name, fault));
      const Upstream& upstream = router_->upstreams_.back();
      router_->own_accounts_.push_back(choose(upstream, settings, {}));
    }
  }

  // Each value is a rule without conditions. One that names an unknown upstream has no choices.
  void add_table() {
    const std::string& name = config().senders_table;
    if (name.empty() || !router_->tables_) return;
    router_->senders_table_ = router_->tables_->table(name);
    if (!router_->senders_table_) return;
    const auto settings = std::ranges::find(config().tables, name, &config::Table::name);
    const std::string file = settings == config().tables.end() ? "" : config::path_of(*settings);
    add_value({}, file);
    router_->senders_table_->each([&](const table::Row& row) { add_value(row, file); });
  }

  void add_value(const table::Row& row, const std::string& file) {
    if (!router_->by_value_.emplace(row.value, router_->rules_.size()).second) return;
    config::SenderRule& rule = router_->table_rules_.emplace_back();
    rule.match = fmt::format("table {}", config().senders_table);
    rule.file = file;
    rule.where.line = static_cast<int>(row.line);
    const Result<std::vector<std::string>> names = parse_upstreams(row.value);
    std::vector<Choice> choices;
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      rule.upstreams.push_back({.name = name, .where = rule.where});
      if (const Upstream* const upstream = router_->upstream(name))
        choices.push_back(router_->own_account(*upstream));
    }
    if (choices.size() < rule.upstreams.size()) choices.clear();
    router_->rules_.push_back(&rule);
    router_->way_of_.push_back(way_of(rule, choices));
    router_->choices_.push_back(std::move(choices));
  }

  void add_rule(const config::SenderRule& rule, RuleIndex& index) {
    const std::string_view why = config::asks_more(rule.conditions) ? ": another rule asks for the same" : "";
    if (!index.add(rule.match, rule.conditions, router_->rules_.size()))
      error({rule.file, rule.where}, fmt::format("duplicate match '{}'{}", rule.match, why));
    router_->rules_.push_back(&rule);
    std::vector<Choice>& choices = router_->choices_.emplace_back();
    if (has_account(rule) && rule.upstreams.size() > 1)
      error({rule.file, rule.where},
            "a rule's own account is for one upstream: no other host may be given it");
    for (const config::RuleUpstream& entry : rule.upstreams) {
      const Upstream* const upstream = router_->upstream(entry.name);
      if (!upstream)
        error({rule.file, rule.where}, fmt::format("unknown upstream '{}'", entry.name));
      else if (has_account(entry))
        choices.push_back(choose(*upstream, entry, rule.file));
      else if (has_account(rule))
        choices.push_back(choose(*upstream, rule, rule.file));
      else
        choices.push_back(router_->own_account(*upstream));
    }
    router_->way_of_.push_back(way_of(rule, choices));
    if (std::ranges::any_of(rule.upstreams, [](const auto& entry) { return entry.weight > 0; }) &&
        choices.size() == rule.upstreams.size())
      add_weights(rule, choices);
  }

  // Mail that begins at one of them goes on with the others in their order.
  void add_weights(const config::SenderRule& rule, const std::vector<Choice>& choices) {
    Router::Weighted& weighted = router_->weighted_[router_->rules_.size() - 1];
    for (std::size_t i = 0; i < choices.size(); ++i) {
      weighted.shares.push_back(rule.upstreams[i].weight);
      weighted.sum += rule.upstreams[i].weight;
      std::vector<Choice>& order = weighted.orders.emplace_back();
      order.push_back(choices[i]);
      for (const Choice& other : choices)
        if (&other != &choices[i]) order.push_back(other);
      weighted.ways.push_back(way_of(rule, order));
    }
  }

  // By the lanes in their order and by anything else in which ways differ. No id of a lane has a line end.
  std::size_t way_of(const config::SenderRule& rule, const std::vector<Choice>& choices) {
    const bool changes = !rule.changes.rewrite.empty() || !rule.changes.headers.empty();
    std::string key = changes ? fmt::format("{}", fmt::ptr(&rule)) : rule.reject;
    for (const Choice& choice : choices) key.append("\n").append(choice.id);
    return ways_.emplace(std::move(key), 1 + ways_.size()).first->second;
  }

  template <class Entry>
  static bool has_account(const Entry& entry) {
    return entry.username || entry.oauth2;
  }

  // `entry` holds the account: a config::Upstream, SenderRule or RuleUpstream; it stands in `file`.
  template <class Entry>
  Choice choose(const Upstream& upstream, const Entry& entry, std::string_view file) {
    const auto pointer = [](const config::SecretSource& secret) {
      return secret.given() ? &secret : nullptr;
    };
    Choice choice;
    choice.upstream = &upstream;
    choice.login = has_account(entry) || logs_in_by_certificate(upstream);
    choice.id = upstream.name;
    choice.file = file;
    choice.where = entry.where;
    if (!has_account(entry)) return choice;
    std::string_view username;  // stands in the configuration, or in the router
    if (entry.username) username = *entry.username;
    if (entry.oauth2)
      username = add_oauth2(choice, *entry.oauth2, username);
    else
      check_username(upstream, *entry.username, {file, entry.where});
    choice.username = username;
    choice.password = pointer(entry.password);
    choice.next_password = pointer(entry.next_password);
    choice.id = credential_id({&upstream, entry.password, entry.next_password, choice.oauth2}, username);
    if (mechanisms_of(choice).empty())
      error({file, entry.where}, fmt::format("upstream '{}': {}", upstream.name, no_mechanism(choice)));
    return choice;
  }

  // Why none of the upstream's mechanisms fits this account.
  static std::string no_mechanism(const Choice& choice) {
    const Upstream& upstream = *choice.upstream;
    if (!choice.oauth2 && upstream.settings->auth.empty() && upstream.preset &&
        upstream.preset->takes_tokens_alone())
      return fmt::format("{} takes access tokens alone, and no password: use 'oauth2' in place of 'password'",
                         upstream.preset->name);
    return fmt::format("its 'auth' has no mechanism for an account with {}",
                       choice.oauth2 ? "oauth2 (xoauth2, oauthbearer)" : "a password");
  }

  // The mailbox that the login is for; `username` is the account's.
  std::string_view add_oauth2(Choice& choice, const config::OAuth2& settings, std::string_view username) {
    std::vector<std::string> faults;
    const config::OAuth2& oauth2 =
        router_->oauth2_.emplace_back(effective_oauth2(settings, choice.upstream->preset, faults));
    for (const std::string& fault : faults)
      error({choice.file, settings.where}, fmt::format("oauth2 at '{}': {}", choice.upstream->name, fault));
    choice.oauth2 = &oauth2;
    const bool has_user = oauth2.user_is_sender || !oauth2.user.empty();
    return has_user ? std::string_view(oauth2.user) : username;
  }

  static bool logs_in_by_certificate(const Upstream& upstream) {
    return std::ranges::find(upstream.mechanisms, sasl::Mechanism::external) != upstream.mechanisms.end();
  }

  // Behind another host than the provider's own, such as a proxy, other usernames may be in use.
  void check_username(const Upstream& upstream, const std::string& username, const Place& place) {
    const bool known = upstream.preset && !upstream.settings->host;
    if (known && !may_be_username(*upstream.preset, username))
      error(place, fmt::format("upstream '{}': username and password at {} are {}", upstream.name,
                               upstream.preset->name, upstream.preset->account.hint));
  }

  // Upstream and username, with a number if one username has several passwords. No name has a tab.
  std::string credential_id(const Account& account, std::string_view username) {
    int number = 1;
    const auto [first, last] = accounts_.equal_range(username);
    const auto known = std::find_if(first, last, [&](const auto& other) {
      if (other.second.upstream != account.upstream) return false;
      const bool same = same_account(other.second, account);
      if (!same) ++number;
      return same;
    });
    if (known == last) accounts_.emplace(username, account);
    std::string id = fmt::format("{}\t{}", account.upstream->name, username);
    return number == 1 ? id : fmt::format("{}\t{}", id, number);
  }

  std::shared_ptr<Router> router_;
  std::vector<config::Diagnostic> errors_;
  // By username, those of one name in the order of the rules. The names are in the configuration, or in the
  // router.
  std::unordered_multimap<std::string_view, Account> accounts_;
  std::unordered_map<std::string, std::size_t> ways_;
};

std::vector<sasl::Mechanism> mechanisms_of(const Choice& choice) {
  const bool by_token = choice.oauth2 != nullptr;
  std::vector<sasl::Mechanism> usable;
  std::ranges::copy_if(
      choice.upstream->mechanisms, std::back_inserter(usable),
      [by_token](sasl::Mechanism mechanism) { return sasl::takes_token(mechanism) == by_token; });
  if (usable.empty() && by_token && choice.upstream->settings->auth.empty())
    usable = {sasl::Mechanism::xoauth2, sasl::Mechanism::oauthbearer};
  return usable;
}

Router::Built Router::build(std::shared_ptr<const config::Config> config,
                            std::shared_ptr<const table::Tables> tables) {
  return RouterBuilder(std::move(config), std::move(tables)).build();
}

Route Router::route(const Mail& mail) const {
  const Route open{.open = true};
  if (!by_recipient_.empty()) {
    if (!mail.recipient) return open;
    const RuleIndex::Found found = by_recipient_.find(*mail.recipient, mail);
    if (found.open) return open;
    if (found.rule) return route_of(*found.rule, mail.number);
  }
  if (!mail.sender) return open;
  const RuleIndex::Found found = by_sender_.find(*mail.sender, mail);
  if (found.open) return open;
  if (found.rule) return route_of(*found.rule, mail.number);
  const std::optional<SendersRow> row = row_of(*mail.sender);
  if (!row) return {};
  const auto known = by_value_.find(row->value);
  Route route = route_of(known == by_value_.end() ? by_value_.at("") : known->second, mail.number);
  route.by_table = true;
  return route;
}

std::optional<SendersRow> Router::row_of(std::string_view sender) const {
  return senders_table_ ? find_row(*senders_table_, sender) : std::nullopt;
}

std::string Router::trouble_of(std::string_view sender) const {
  const std::optional<SendersRow> row = row_of(sender);
  if (!row) return {};
  const Result<std::vector<std::string>> names = parse_upstreams(row->value);
  std::string why = "its value names no upstream";
  for (const std::string& name : names ? *names : std::vector<std::string>())
    if (!upstream(name)) why = fmt::format("there is no upstream '{}'", name);
  return fmt::format("table '{}', key '{}': {}", config_->senders_table, row->key, why);
}

Route Router::plain_route(std::string_view routing_sender) const {
  const Client nobody;
  const HeaderValues nothing;
  return route({.sender = routing_sender, .recipient = "", .client = &nobody, .header = &nothing});
}

Route Router::route_of(std::size_t rule, std::uint64_t number) const {
  Route route{
      .rule = rules_[rule], .reject = rules_[rule]->reject, .choices = choices_[rule], .way = way_of_[rule]};
  if (weighted_.empty()) return route;
  const auto found = weighted_.find(rule);
  if (found == weighted_.end()) return route;
  const Weighted& weighted = found->second;
  std::uint64_t at = spread(number) % weighted.sum;
  std::size_t first = 0;
  while (at >= weighted.shares[first]) at -= weighted.shares[first++];
  route.choices = weighted.orders[first];
  route.way = weighted.ways[first];
  route.weights = weighted.shares;
  return route;
}

HeaderValues Router::header_values(std::string_view header) const {
  HeaderValues values;
  if (!asks_header()) return values;
  mail::for_each_field(header, [&](const mail::Field& field) {
    std::string name = ascii::lower(field.name);
    if (!by_recipient_.header_names().contains(name) && !by_sender_.header_names().contains(name)) return;
    std::string value(field.body);
    std::erase_if(value, [](char c) { return c == '\r' || c == '\n'; });
    values.emplace(std::move(name), ascii::trimmed(value, ascii::line_space));
  });
  return values;
}

bool Router::asks_header() const {
  return !by_recipient_.header_names().empty() || !by_sender_.header_names().empty();
}

const Upstream* Router::upstream(std::string_view name) const {
  const auto found = std::find_if(upstreams_.begin(), upstreams_.end(),
                                  [name](const Upstream& upstream) { return upstream.name == name; });
  return found == upstreams_.end() ? nullptr : &*found;
}

const Choice& Router::own_account(const Upstream& upstream) const {
  return own_accounts_[static_cast<std::size_t>(&upstream - upstreams_.data())];
}

}  // namespace relayd::route
