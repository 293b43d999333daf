#include "watch/accounts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "shared/smtp/reply_class.hpp"

namespace relayd::watch {

namespace {

using smtp::ReplyClass;

bool may_pass(const std::string& reply_class) {
  const std::optional<ReplyClass> known = find_word<ReplyClass>(reply_class);
  constexpr smtp::ReplyClasses passing{ReplyClass::connect, ReplyClass::temp, ReplyClass::rate,
                                       ReplyClass::conn};
  return known && passing.has(*known);
}

// What a look has found of accounts, and of upstreams as a whole (no account).
class Found {
 public:
  explicit Found(const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
      if (finding.step == Step::dns) continue;
      const AccountName name{finding.upstream, finding.account};
      if (finding.health != Health::note) tried_.insert(name);
      if (finding.health == Health::failed) failures_.try_emplace(name, &finding);
    }
  }

  // The look came to this account, or to what keeps all of its upstream back.
  bool is_tried(const AccountName& name) const { return failure_of(name) || tried_.contains(name); }
  // What keeps its mail back; null: nothing does.
  const Finding* failure_of(const AccountName& name) const {
    const auto whole = failures_.find({name.upstream, {}});
    if (whole != failures_.end()) return whole->second;
    const auto own = failures_.find(name);
    return own == failures_.end() ? nullptr : own->second;
  }

 private:
  std::map<AccountName, const Finding*> failures_;  // the first of each
  std::set<AccountName> tried_;
};

}  // namespace

std::string text_of(const Account& account) {
  return account.advice.empty() ? account.reason : account.reason + ". " + account.advice;
}

std::vector<Account> Accounts::take(std::span<const AccountName> names, const std::vector<Finding>& findings,
                                    WallTime now) {
  std::map<AccountName, Account> before;
  for (Account& account : std::exchange(all_, {})) before.emplace(account.name, std::move(account));
  const Found found(findings);
  std::vector<Account> changed;
  for (const AccountName& name : names) {
    const auto known = before.find(name);
    const bool is_new = known == before.end();
    if (!found.is_tried(name)) {
      if (!is_new) all_.push_back(known->second);
      continue;
    }
    Account account = is_new ? Account{.name = name, .since = now} : known->second;
    account.looked_at = now;
    const Finding* const failure = found.failure_of(name);
    const bool believed = !failure || !account.well || account.suspected || !may_pass(failure->reply_class);
    const bool changes = believed && account.well == (failure != nullptr);
    account.suspected = failure && !believed;
    if (changes) {
      account.well = !failure;
      account.since = now;
    }
    account.reply_class = failure ? failure->reply_class : "";
    account.reason = failure ? failure->text : "";
    account.advice = failure ? failure->advice : "";
    if (changes) changed.push_back(account);
    all_.push_back(std::move(account));
  }
  senders_.clear();
  for (const Finding& finding : findings)
    if (finding.step == Step::sender && finding.health == Health::ok) senders_.push_back(finding.at);
  return changed;
}

bool Accounts::is_well(const AccountName& name) const {
  return std::ranges::any_of(all_, [&name](const Account& account) {
    return account.name == name && account.well && !account.suspected;
  });
}

bool Accounts::in_doubt() const {
  return std::ranges::any_of(all_, &Account::suspected);
}

bool Accounts::in_trouble() const {
  return !std::ranges::all_of(all_, &Account::well);
}

}  // namespace relayd::watch
