// Router: where mail goes, by its recipient and its sender, and as whom.
//
// Fourth stage of the path. Asked at every attempt, so that a new configuration reaches waiting mail. It is
// immutable and shared: a reload builds another one, and who still uses the old one keeps it alive with its
// shared_ptr (all pointers and views given out here point into it). Pure: it reads no secret and opens
// nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "route/rule_index.hpp"
#include "route/senders_table.hpp"
#include "route/upstream.hpp"
#include "shared/config/config.hpp"
#include "shared/sasl/mechanism.hpp"
#include "shared/table/table.hpp"

namespace relayd::route {

// One upstream with the account to use there. `id` is the same for two choices exactly when upstream,
// username and passwords, or what gets the access tokens, are; it names the lane, holds nothing secret, and
// is not for people to read.
struct Choice {
  const Upstream* upstream = nullptr;
  bool login = false;                              // AUTH; without a password it is EXTERNAL (RFC 4422 A)
  std::string username;                            // whom the login is for; empty: none, or the sender
  const config::SecretSource* password = nullptr;  // null: none
  const config::SecretSource* next_password = nullptr;  // for the case that the other is refused; null: none
  const config::OAuth2* oauth2 = nullptr;  // completed; how it gets its access tokens. Null: it has none
  std::string_view file;                   // where the account stands; empty: the configuration
  config::Location where;                  // of the account in that file
  std::string id;

  // The login is for the address that the message is routed by: a lane each.
  bool is_of_sender() const { return oauth2 && oauth2->user_is_sender; }
};

// What the account may log in with, in order of preference: with tokens or with passwords.
std::vector<sasl::Mechanism> mechanisms_of(const Choice& choice);

// Whom a message's login is for; empty: nobody.
inline std::string_view user_of(const Choice& choice, std::string_view routing_sender) {
  return choice.is_of_sender() ? routing_sender : std::string_view(choice.username);
}

// For people and metrics: the account that the login is for; empty: there is none. One that is each sender's
// has no name but this word.
inline std::string_view account_of(const Choice& choice) {
  return choice.is_of_sender() ? std::string_view("sender") : std::string_view(choice.username);
}

// Three outcomes: no rule; a rule that rejects; choices, to be tried in order by reply class. Or none yet.
struct Route {
  const config::SenderRule* rule = nullptr;  // null: no rule matched
  std::string_view reject = {};              // "550 5.7.1 text"; empty: not rejected
  std::span<const Choice> choices = {};
  std::span<const std::uint32_t> weights =
      {};                 // of the rule's upstreams, as they are written; empty: it has none
  bool open = false;      // it depends on what was absent; all else is empty then
  bool by_table = false;  // the rule is a value of `senders_table`; without choices its mail waits
  std::size_t way =
      0;  // the same for two routes exactly when mail leaves by both alike; below Router::ways()
};

class Router {
 public:
  struct Built {
    std::shared_ptr<const Router> router;  // null when there are errors
    std::vector<config::Diagnostic> errors;
  };

  // Lays presets and defaults under the configuration and prepares its rules. Finds what only route can know
  // to be wrong: provider, region, a username that the provider never takes.
  // Without `tables`, `senders_table` is not asked.
  static Built build(std::shared_ptr<const config::Config> config,
                     std::shared_ptr<const table::Tables> tables = nullptr);

  // The rules of `recipients` come first, then those of `senders`, then `senders_table`. An address that is
  // empty falls under "*".
  Route route(const Mail& mail) const;
  // The fields of the header that rules ask for; see HeaderValues.
  HeaderValues header_values(std::string_view header) const;
  bool asks_header() const;
  // Of a sender's mail, no more being known of it.
  Route route(std::string_view routing_sender) const { return route(Mail{.sender = routing_sender}); }
  // The same of mail that meets no condition, to whom no rule of `recipients` is for.
  Route plain_route(std::string_view routing_sender) const;
  // Where recipients of one message may go different ways.
  bool asks_recipients() const { return !by_recipient_.empty(); }
  std::size_t ways() const { return ways_; }

  const config::Config& config() const { return *config_; }
  const std::vector<Upstream>& upstreams() const { return upstreams_; }  // in the file's order
  const Upstream* upstream(std::string_view name) const;
  // What `senders_table` says of a sender, whatever rule matches it.
  std::optional<SendersRow> row_of(std::string_view sender) const;
  // Why mail of the sender, whose route is by the table and without choices, has to wait.
  std::string trouble_of(std::string_view sender) const;

  // The rules of `recipients`, then those of `senders`, then one for each value of `senders_table`; and of
  // each its choices.
  const std::vector<const config::SenderRule*>& rules() const { return rules_; }
  const std::vector<std::vector<Choice>>& choices() const { return choices_; }

  // The upstream with its own account, of rules that name none.
  const Choice& own_account(const Upstream& upstream) const;

 private:
  friend class RouterBuilder;
  Router() = default;

  // Of a rule with weights: for each of its upstreams its share, and the order of mail that begins there.
  struct Weighted {
    std::uint64_t sum = 0;
    std::vector<std::uint32_t> shares;
    std::vector<std::vector<Choice>> orders;
    std::vector<std::size_t> ways;
  };

  Route route_of(std::size_t rule, std::uint64_t number) const;

  std::shared_ptr<const config::Config> config_;
  std::vector<Upstream> upstreams_;
  std::deque<config::OAuth2> oauth2_;  // choices point at them
  std::vector<Choice> own_accounts_;   // one for each upstream
  // One for each rule, as choices() has them.
  std::vector<const config::SenderRule*> rules_;
  std::vector<std::vector<Choice>> choices_;
  std::vector<std::size_t> way_of_;
  std::size_t ways_ = 1;                      // with that of mail that has no rule
  std::map<std::size_t, Weighted> weighted_;  // by rule
  RuleIndex by_recipient_;
  RuleIndex by_sender_;
  std::shared_ptr<const table::Tables> tables_;
  const table::Table* senders_table_ = nullptr;
  std::deque<config::SenderRule> table_rules_;
  std::unordered_map<std::string, std::size_t> by_value_;  // rules; "": of all values that are not here
};

}  // namespace relayd::route
