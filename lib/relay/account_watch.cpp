#include "relay/account_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace relayd {

using async::Task;
using watch::Account;
using watch::AccountName;

namespace {

std::vector<AccountName> names_of(const route::Router& router) {
  std::vector<AccountName> names;
  std::set<AccountName> known;
  for (const std::vector<route::Choice>& choices : router.choices())
    for (const route::Choice& choice : choices) {
      AccountName name{choice.upstream->name, std::string(account_of(choice))};
      if (!choice.upstream->stays_here() && known.insert(name).second) names.push_back(std::move(name));
    }
  return names;
}

std::string text_of(const AccountName& name) {
  return name.account.empty() ? fmt::format("'{}'", name.upstream)
                              : fmt::format("'{}' at '{}'", name.account, name.upstream);
}

std::string subject_of(const std::vector<Account>& accounts) {
  const bool all_well = std::ranges::all_of(accounts, &Account::well);
  if (accounts.size() == 1)
    return fmt::format("{} {}", text_of(accounts.front().name), all_well ? "is well again" : "fails");
  return all_well ? fmt::format("{} accounts are well again", accounts.size())
                  : fmt::format("{} accounts have changed, and some fail", accounts.size());
}

std::string paragraph_of(const Account& account) {
  if (account.well) return fmt::format("The account {} is well again.", text_of(account.name));
  return fmt::format("The account {} fails: {}.", text_of(account.name), text_of(account));
}

}  // namespace

const config::Watch* AccountWatch::settings() const {
  const std::optional<config::Watch>& watch = router_->config().watch;
  return watch ? &*watch : nullptr;
}

void AccountWatch::begin(std::shared_ptr<const route::Router> router) {
  begun_ = true;
  use(std::move(router));
}

void AccountWatch::use(std::shared_ptr<const route::Router> router) {
  if (!begun_ || stopping_) return;
  router_ = std::move(router);
  if (!settings()) {
    timer_.cancel();
    accounts_ = {};
    untold_.clear();
    return;
  }
  again_ = looking_;
  if (!looking_) arrange(after_change);
}

void AccountWatch::shut_down() {
  stopping_ = true;
  timer_.cancel();
}

void AccountWatch::arrange(Duration wait) {
  timer_.at(loop_.now() + wait, [this] { scope_.spawn(look()); });
}

Task<void> AccountWatch::look() {
  looking_ = true;
  again_ = false;
  const std::shared_ptr<const route::Router> router = router_;
  Task<std::vector<watch::Finding>> examining = hooks_.examine(router);
  const std::vector<watch::Finding> findings = co_await examining;
  looking_ = false;
  if (stopping_ || !settings()) co_return;
  if (again_) {
    arrange(after_change);
    co_return;
  }
  const std::vector<AccountName> names = names_of(*router);
  tell(accounts_.take(names, findings, loop_.wall_now()));
  const Duration every = settings()->every;
  if (!accounts_.in_trouble()) while_failing_ = std::min<Duration>(every, while_doubtful);
  if (accounts_.in_doubt())
    arrange(std::min(every, while_doubtful));
  else if (accounts_.in_trouble())  // a server may count logins in vain
    arrange(std::exchange(while_failing_, std::min<Duration>(every, 2 * while_failing_)));
  else
    arrange(every);
  if (!untold_.empty()) co_await write();
}

// Who failed and is well again before anybody could be written to need not be told of by mail.
void AccountWatch::tell(const std::vector<Account>& changed) {
  for (const Account& account : changed) {
    hooks_.changed(account);
    const auto known =
        std::ranges::find_if(untold_, [&](const Account& other) { return other.name == account.name; });
    if (settings()->notify.empty()) continue;
    if (known == untold_.end())
      untold_.push_back(account);
    else
      untold_.erase(known);
  }
}

// One whose mail goes through an account that is well, at best first; empty: there is none.
std::string AccountWatch::sender() const {
  std::vector<std::string> candidates = accounts_.senders();
  const std::string& usual = router_->config().bounce.from;
  if (!usual.empty()) candidates.insert(candidates.begin(), usual);
  std::string second;
  for (const std::string& candidate : candidates) {
    const std::span<const route::Choice> choices = router_->plain_route(candidate).choices;
    for (const route::Choice& choice : choices) {
      if (!accounts_.is_well({choice.upstream->name, std::string(account_of(choice))})) continue;
      if (&choice == &choices.front()) return candidate;
      if (second.empty()) second = candidate;
    }
  }
  return second;
}

Task<void> AccountWatch::write() {
  const std::string from = sender();
  if (from.empty()) co_return;
  const std::vector<Account> about = std::exchange(untold_, {});
  const std::vector<std::string> to = settings()->notify;
  const std::string subject = subject_of(about);
  std::vector<std::string> paragraphs;
  for (const Account& account : about) paragraphs.push_back(paragraph_of(account));
  paragraphs.emplace_back("`relayd doctor` shows each step, and `relayd status` how mail goes meanwhile.");
  Task<std::string> sending = hooks_.send(from, to, subject, paragraphs);
  const std::string failure = co_await sending;
  if (failure.empty()) co_return;
  log_.warning("report_waits", {{"reason", failure}});
  for (const Account& account : about)
    if (std::ranges::none_of(untold_, [&](const Account& other) { return other.name == account.name; }))
      untold_.push_back(account);
}

}  // namespace relayd
