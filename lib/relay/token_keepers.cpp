#include "relay/token_keepers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace relayd {

namespace {

// The same for accounts whose tokens are the same.
std::string key_of(const TokenAccount& account) {
  const config::OAuth2& oauth2 = account.oauth2;
  const std::string_view parts[] = {account.upstream,
                                    account.username,
                                    word_for(oauth2.provider),
                                    word_for(oauth2.grant),
                                    word_for(oauth2.cloud),
                                    oauth2.tenant,
                                    oauth2.client_id,
                                    oauth2.client_certificate,
                                    oauth2.key_file,
                                    oauth2.user,
                                    oauth2.scope,
                                    oauth2.token_url,
                                    account.ca_file,
                                    account.proxy};
  return fmt::format("{}\n{}", fmt::join(parts, "\n"), fmt::join(oauth2.token_command, "\n"));
}

}  // namespace

TokenKeepers::TokenKeepers(async::Loop& loop, telemetry::Log& log, disk::Disk& disk,
                           TokenRequests::Connect connect)
    : loop_(loop),
      requests_(loop, std::move(connect)),
      store_(disk),
      workers_(loop, threads),
      world_{loop, workers_, log, requests_, store_, stop_.get_token()} {}

TokenKeeper& TokenKeepers::keeper_of(const TokenAccount& account) {
  std::unique_ptr<TokenKeeper>& keeper = keepers_[key_of(account)];
  if (!keeper) keeper = std::make_unique<TokenKeeper>(world_, account);
  return *keeper;
}

void TokenKeepers::use(const std::vector<TokenAccount>& accounts) {
  for (auto& [key, keeper] : keepers_) keeper->retire();
  for (const TokenAccount& account : accounts) keeper_of(account).use(account);
}

send::Tokens& TokenKeepers::of(const TokenAccount& account) {
  return keeper_of(account);
}

void TokenKeepers::for_each_end(
    const std::function<void(const TokenAccount& account, SteadyTime until)>& tell) const {
  for (const auto& [key, keeper] : keepers_)
    if (const std::optional<SteadyTime> until = keeper->until()) tell(keeper->account(), *until);
}

async::Task<void> TokenKeepers::drained() {
  for (auto& [key, keeper] : keepers_) co_await keeper->drained();
}

}  // namespace relayd
