// Router: where a sender's mail goes, and as whom.
//
// Fourth stage of the path. Asked at every attempt, so that a new configuration reaches waiting mail. It is
// immutable and shared: a reload builds another one, and who still uses the old one keeps it alive with its
// shared_ptr (all pointers and views given out here point into it). Pure: it reads no secret and opens
// nothing.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "route/upstream.hpp"
#include "shared/config/config.hpp"
#include "shared/mail/matcher.hpp"

namespace relayd::route {

// One upstream with the account to use there. `id` is the same for two choices exactly when upstream,
// username and passwords are; it names the lane, holds nothing secret, and is not for people to read.
struct Choice {
  const Upstream* upstream = nullptr;
  bool login = false;                              // AUTH; without a password it is EXTERNAL (RFC 4422 A)
  std::string username;                            // empty: none
  const config::SecretSource* password = nullptr;  // null: none
  const config::SecretSource* next_password = nullptr;  // for the case that the other is refused; null: none
  std::string_view file;                                // where the account stands; empty: the configuration
  config::Location where;                               // of the account in that file
  std::string id;
};

// Three outcomes: no rule; a rule that rejects; choices, to be tried in order by reply class.
struct Route {
  const config::SenderRule* rule = nullptr;  // null: no rule matched
  std::string_view reject;                   // "550 5.7.1 text"; empty: not rejected
  std::span<const Choice> choices;
};

class Router {
 public:
  struct Built {
    std::shared_ptr<const Router> router;  // null when there are errors
    std::vector<config::Diagnostic> errors;
  };

  // Lays presets and defaults under the configuration and prepares its rules. Finds what only route can know
  // to be wrong: provider, region, a username that the provider never takes.
  static Built build(std::shared_ptr<const config::Config> config);

  // The route of a message; see mail::Envelope::routing_sender. An address that is empty falls under "*".
  Route route(std::string_view routing_sender) const;

  const config::Config& config() const { return *config_; }
  const std::vector<Upstream>& upstreams() const { return upstreams_; }  // in the file's order
  const Upstream* upstream(std::string_view name) const;
  const std::vector<std::vector<Choice>>& choices() const { return choices_; }  // of each rule

  // The upstream with its own account, of rules that name none.
  const Choice& own_account(const Upstream& upstream) const;

 private:
  friend class RouterBuilder;
  Router() = default;

  std::shared_ptr<const config::Config> config_;
  std::vector<Upstream> upstreams_;
  std::vector<Choice> own_accounts_;          // one for each upstream
  std::vector<std::vector<Choice>> choices_;  // one list for each rule
  mail::Matcher matcher_;
};

}  // namespace relayd::route
