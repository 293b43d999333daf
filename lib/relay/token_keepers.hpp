// TokenKeepers: the keeper of each account that logs in with access tokens (OAuth 2).
//
// Owned by the relay. Keepers are never removed: one that a reload names no more renews nothing once nobody
// asks it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "relay/token_keeper.hpp"

namespace relayd {

class TokenKeepers {
 public:
  TokenKeepers(async::Loop& loop, telemetry::Log& log, disk::Disk& disk, TokenRequests::Connect connect);

  // The accounts of the present configuration; also after a reload.
  void use(const std::vector<TokenAccount>& accounts);
  // The keeper of an account, which lives as long as this does.
  send::Tokens& of(const TokenAccount& account);

  // Of each account that has tokens, when the first of them ends.
  void for_each_end(const std::function<void(const TokenAccount& account, SteadyTime until)>& tell) const;

  // Requests under way are given up; what waits for one is told so.
  void shut_down() { stop_.request_stop(); }
  async::Task<void> drained();

 private:
  TokenKeeper& keeper_of(const TokenAccount& account);

  // Commands that print a secret may take ten seconds each.
  static constexpr unsigned threads = 8;

  async::Loop& loop_;
  TokenRequests requests_;
  TokenStore store_;
  std::stop_source stop_;
  async::Workers workers_;
  TokenWorld world_;
  std::map<std::string, std::unique_ptr<TokenKeeper>> keepers_;
};

}  // namespace relayd
