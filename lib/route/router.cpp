#include "route/router.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace relayd::route {

namespace {

bool same_secret(const config::SecretSource& a, const config::SecretSource& b) {
  return a.kind == b.kind && a.literal == b.literal && a.name == b.name && a.command == b.command;
}

// A line of the configuration, or of another file that it names.
struct Place {
  std::string_view file;  // empty: the configuration
  config::Location where;
};

struct Account {
  const Upstream* upstream;
  const config::SecretSource& password;
  const config::SecretSource& next_password;
};

}  // namespace

// Fills a Router; holds what only building needs.
class RouterBuilder {
 public:
  explicit RouterBuilder(std::shared_ptr<const config::Config> config) : router_(new Router) {
    router_->config_ = std::move(config);
  }

  Router::Built build() {
    add_upstreams();
    // Growing by and by would go through all of them each time.
    router_->choices_.reserve(config().senders.size());
    router_->matcher_.reserve(config().senders.size());
    accounts_.reserve(config().senders.size());
    for (const config::SenderRule& rule : config().senders) add_rule(rule);
    if (!errors_.empty()) return {nullptr, std::move(errors_)};
    return {std::move(router_), {}};
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

  void add_rule(const config::SenderRule& rule) {
    if (!router_->matcher_.add(rule.match, router_->choices_.size()))
      error({rule.file, rule.where}, fmt::format("duplicate match '{}'", rule.match));
    std::vector<Choice>& choices = router_->choices_.emplace_back();
    if (rule.username && rule.upstreams.size() > 1)
      error({rule.file, rule.where},
            "a rule's own account is for one upstream: no other host may be given it");
    for (const config::RuleUpstream& entry : rule.upstreams) {
      const Upstream* const upstream = router_->upstream(entry.name);
      if (!upstream)
        error({rule.file, rule.where}, fmt::format("unknown upstream '{}'", entry.name));
      else if (entry.username)
        choices.push_back(choose(*upstream, entry, rule.file));
      else if (rule.username)
        choices.push_back(choose(*upstream, rule, rule.file));
      else
        choices.push_back(router_->own_account(*upstream));
    }
  }

  // `entry` holds the account: a config::Upstream, SenderRule or RuleUpstream; it stands in `file`.
  template <class Entry>
  Choice choose(const Upstream& upstream, const Entry& entry, std::string_view file) {
    const auto pointer = [](const config::SecretSource& secret) {
      return secret.given() ? &secret : nullptr;
    };
    Choice choice;
    choice.upstream = &upstream;
    choice.login = entry.username || logs_in_by_certificate(upstream);
    choice.id = upstream.name;
    choice.file = file;
    choice.where = entry.where;
    if (!entry.username) return choice;
    check_username(upstream, *entry.username, {file, entry.where});
    choice.username = *entry.username;
    choice.password = pointer(entry.password);
    choice.next_password = pointer(entry.next_password);
    choice.id = credential_id({&upstream, entry.password, entry.next_password}, *entry.username);
    return choice;
  }

  static bool logs_in_by_certificate(const Upstream& upstream) {
    return std::ranges::find(upstream.mechanisms, sasl::Mechanism::external) != upstream.mechanisms.end();
  }

  // Behind another host than the provider's own, such as a proxy, other names may be in use.
  void check_username(const Upstream& upstream, const std::string& username, const Place& place) {
    const bool known = upstream.preset && !upstream.settings->host;
    if (known && !may_be_username(*upstream.preset, username))
      error(place, fmt::format("upstream '{}': username and password at {} are {}", upstream.name,
                               upstream.preset->name, upstream.preset->account.hint));
  }

  // Names upstream and username, and counts on where one username comes with several passwords. No name holds
  // a tab.
  std::string credential_id(const Account& account, const std::string& username) {
    int number = 1;
    const auto [first, last] = accounts_.equal_range(username);
    const auto known = std::find_if(first, last, [&](const auto& other) {
      if (other.second.upstream != account.upstream) return false;
      const bool same = same_secret(other.second.password, account.password) &&
                        same_secret(other.second.next_password, account.next_password);
      if (!same) ++number;
      return same;
    });
    if (known == last) accounts_.emplace(username, account);
    std::string id = fmt::format("{}\t{}", account.upstream->name, username);
    return number == 1 ? id : fmt::format("{}\t{}", id, number);
  }

  std::shared_ptr<Router> router_;
  std::vector<config::Diagnostic> errors_;
  // By username, those of one name in the order of the rules. The names stand in the configuration.
  std::unordered_multimap<std::string_view, Account> accounts_;
};

Router::Built Router::build(std::shared_ptr<const config::Config> config) {
  return RouterBuilder(std::move(config)).build();
}

Route Router::route(std::string_view routing_sender) const {
  const auto found = matcher_.find(routing_sender);
  if (!found) return {};
  const config::SenderRule& rule = config_->senders[*found];
  return {&rule, rule.reject, choices_[*found]};
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
