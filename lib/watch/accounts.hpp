// Accounts: which accounts at which upstreams are well, by what looks at them have found.
//
// Beside the path; kept by relay/account_watch. Pure: findings and the time in, changes that are worth
// telling out. What may pass by itself (no connection, too fast) is believed the second time.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shared/base/time.hpp"
#include "watch/finding.hpp"

namespace relayd::watch {

struct AccountName {
  std::string upstream;
  std::string account;  // user name; empty: no login
  auto operator<=>(const AccountName&) const = default;
};

struct Account {
  AccountName name;
  bool well = true;        // as it was told
  bool suspected = false;  // the last look failed for the first time, in a way that may pass
  WallTime since{};        // it is so
  WallTime looked_at{};
  std::string reply_class = {};  // of the first that failed at the last look; empty: nothing did
  std::string reason = {};       // likewise
  std::string advice = {};       // likewise
};

// What fails, and what to change: "535 no. Correct it".
std::string text_of(const Account& account);

class Accounts {
 public:
  // What a look at these has found. Those that were well and are not any more, and those that are again. Whom
  // it did not come to stands as it stood, or nowhere.
  std::vector<Account> take(std::span<const AccountName> names, const std::vector<Finding>& findings,
                            WallTime now);

  // In the order of the last look; empty: there was none.
  const std::vector<Account>& all() const { return all_; }
  bool is_well(const AccountName& name) const;
  // Another look is worth it before its time: somebody may have failed, or fails.
  bool in_doubt() const;
  bool in_trouble() const;
  // The addresses that servers took as senders at the last look.
  const std::vector<std::string>& senders() const { return senders_; }

 private:
  std::vector<Account> all_;
  std::vector<std::string> senders_;
};

}  // namespace relayd::watch
