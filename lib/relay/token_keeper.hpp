// TokenKeeper: the access tokens of one account, got before they are needed and renewed ahead of their end.
//
// Owned by the TokenKeepers; asked by logins. One request is under way at a time, and all who wait share what
// comes of it. Of a sign-in the refresh token that comes back is on disk before the access token beside it is
// used. A token is renewed by itself once somebody has used it; one that nobody uses goes. While its
// server cannot be reached it is used to its end. After a failure nothing is asked for a while: 5 s doubling
// to 10 min, or 15 min doubling to 4 h where the server refuses, unless a secret has changed. A refresh
// token that nobody uses is renewed once a week.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "relay/token_account.hpp"
#include "relay/token_requests.hpp"
#include "relay/token_sources.hpp"
#include "relay/token_store.hpp"
#include "send/tokens.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// What all keepers share; outlives them.
struct TokenWorld {
  async::Loop& loop;
  async::Workers& workers;  // for secrets and what signs
  telemetry::Log& log;
  TokenRequests& requests;
  TokenStore& store;
  std::stop_token stop;
};

class TokenKeeper final : public send::Tokens {
 public:
  // A server has refused a token: another one is asked for no sooner after the last.
  static constexpr Duration forced_once_in = std::chrono::minutes(5);

  TokenKeeper(TokenWorld& world, TokenAccount account)
      : world_(world), account_(std::move(account)), weekly_(world.loop), writing_(world.loop) {}

  async::Task<Answer> token(std::string user, std::optional<std::uint64_t> refused) override;

  // After a reload: where the sources stand now. What failed is tried again when it is asked for.
  void use(TokenAccount account);
  // The configuration has the account no more.
  void retire() { weekly_.cancel(); }
  async::Task<void> drained() { return scope_.drained(); }

  const TokenAccount& account() const { return account_; }
  // When the first of its tokens ends; nothing: it has none, or none that are known to end.
  std::optional<SteadyTime> until() const;

 private:
  // A token, and what is known of the next one.
  struct Holder {
    explicit Holder(async::Loop& loop) : timer(loop) {}
    std::string user;
    std::optional<send::Token> token;
    std::chrono::seconds life{};
    SteadyTime until{};
    SteadyTime obtained{};
    bool used = false;    // since then
    unsigned asking = 0;  // logins that wait for an answer
    std::optional<SteadyTime> forced;

    bool renewing = false;
    std::vector<async::Event*> waiting;
    std::optional<send::NoToken> failure;  // of the last request
    unsigned failures = 0;                 // in a row
    SteadyTime next_try{};
    crypto::Digest tried_with{};
    async::Timer timer;
  };

  Holder& holder_of(const std::string& user);
  bool may_force(const Holder& holder) const;
  bool has_enough(const Holder& holder) const;
  bool is_alive(const Holder& holder) const;
  Answer answer_of(Holder& holder) const;
  async::Task<Answer> answer_for(Holder& holder, std::optional<std::uint64_t> refused);
  async::Task<bool> secret_changed(const Holder& holder);
  async::Task<void> renewed(Holder& holder);
  async::Task<void> renew(Holder& holder);
  // What came of one request.
  struct Attempt {
    TokenRequest request;
    oauth::Reply reply;
    std::optional<std::chrono::seconds> skew;
  };
  async::Task<Attempt> attempt(Holder& holder, bool with_previous);
  TokenNeed need_of(const Holder& holder) const;
  std::string reason_of(const Holder& holder, const Attempt& attempt) const;
  void tell_skew(const Attempt& attempt);
  async::Task<void> keep_sign_in(const Attempt& attempt);
  async::Task<void> write(oauth::StoredToken sign_in, Secret sent);
  async::Task<void> look_at_sign_in();
  void take(Holder& holder, oauth::Grant grant);
  void fail(Holder& holder, const Attempt& attempt);
  void begin(Holder& holder);
  void on_timer(Holder& holder);
  std::chrono::seconds by_chance(std::chrono::seconds most);

  TokenWorld& world_;
  TokenAccount account_;
  std::string whom_;                                        // a sign-in is of
  std::map<std::string, std::unique_ptr<Holder>> holders_;  // by user; "": one for all
  std::uint64_t last_serial_ = 0;
  std::optional<oauth::StoredToken> unwritten_;  // as the disk failed
  bool skew_told_ = false;
  async::Timer weekly_;
  async::Timer writing_;  // tries again what the disk did not take
  std::minstd_rand random_{std::random_device{}()};
  async::Scope scope_;
};

}  // namespace relayd
