#include "relay/token_keeper.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/oauth/advice.hpp"
#include "shared/oauth/endpoint.hpp"
#include "shared/oauth/lifetime.hpp"

namespace relayd {

using async::Task;
using config::OAuth2Grant;
using std::chrono::seconds;

namespace {

constexpr seconds first_wait{5};  // of what passes
constexpr seconds longest_wait{600};
constexpr seconds first_refused_wait{15 * 60};
constexpr seconds longest_refused_wait{4 * 3600};

seconds doubled(seconds first, unsigned times, seconds most) {
  return std::min(first * (1 << std::min(times, 16U)), most);
}

// Each user has a token of its own.
bool names_user(const config::OAuth2& oauth2) {
  return oauth2.grant == OAuth2Grant::service_account || !oauth2.token_command.empty();
}

constexpr Duration write_again_after = std::chrono::minutes(1);
constexpr seconds week{7 * 86400};
constexpr seconds day{86400};
constexpr seconds hour{3600};
constexpr Duration forget_after = hour;  // a user who does not come again
constexpr seconds told_skew{120};

}  // namespace

Task<send::Tokens::Answer> TokenKeeper::token(std::string user, std::optional<std::uint64_t> refused) {
  Holder& holder = holder_of(user);
  holder.used = true;
  ++holder.asking;
  Answer answer = co_await answer_for(holder, refused);
  --holder.asking;
  co_return answer;
}

Task<send::Tokens::Answer> TokenKeeper::answer_for(Holder& holder, std::optional<std::uint64_t> refused) {
  const bool is_refused = refused && holder.token && holder.token->serial == *refused;
  const bool forced = is_refused && may_force(holder);
  if (forced) holder.forced = world_.loop.now();
  if (!forced && (is_refused || has_enough(holder))) co_return answer_of(holder);
  if (!forced && !holder.renewing && world_.loop.now() < holder.next_try) {
    const bool has_changed = co_await secret_changed(holder);
    if (!has_changed) co_return answer_of(holder);
  }
  co_await renewed(holder);
  if (forced && holder.failure) co_return Answer{{}, *holder.failure};
  co_return answer_of(holder);
}

TokenKeeper::Holder& TokenKeeper::holder_of(const std::string& user) {
  const std::string key = names_user(account_.oauth2) ? user : "";
  std::unique_ptr<Holder>& holder = holders_[key];
  if (!holder) {
    holder = std::make_unique<Holder>(world_.loop);
    holder->user = user;
  }
  return *holder;
}

// Not for a token that is so new: what is missing is then a right, and not a token.
bool TokenKeeper::may_force(const Holder& holder) const {
  const SteadyTime now = world_.loop.now();
  return now - holder.obtained >= forced_once_in &&
         (!holder.forced || now - *holder.forced >= forced_once_in);
}

bool TokenKeeper::has_enough(const Holder& holder) const {
  return is_alive(holder) && holder.until - world_.loop.now() >= oauth::least_left(holder.life);
}

bool TokenKeeper::is_alive(const Holder& holder) const {
  return holder.token && world_.loop.now() < holder.until;
}

std::optional<SteadyTime> TokenKeeper::until() const {
  std::optional<SteadyTime> first;
  for (const auto& [user, holder] : holders_)
    if (is_alive(*holder) && (!first || holder->until < *first)) first = holder->until;
  return first;
}

// The token, as long as it lives; else why there is none.
send::Tokens::Answer TokenKeeper::answer_of(Holder& holder) const {
  if (is_alive(holder) || (holder.token && !holder.failure)) return {holder.token, {}};
  send::NoToken why = holder.failure.value_or(send::NoToken{"it has ended", true});
  if (holder.next_try > world_.loop.now())
    why.wait = std::chrono::ceil<seconds>(holder.next_try - world_.loop.now());
  return {{}, std::move(why)};
}

TokenNeed TokenKeeper::need_of(const Holder& holder) const {
  return {account_, holder.user, world_.loop.wall_now(), unwritten_};
}

// Since the request that failed. Only a file or a command can have.
Task<bool> TokenKeeper::secret_changed(const Holder& holder) {
  if (!holder.failure || holder.failure->temporary || !account_.oauth2.token_command.empty()) co_return false;
  const auto make = [need = need_of(holder), &store = world_.store] {
    return make_token_request(need, store);
  };
  const Result<TokenRequest> request = co_await world_.workers.run(make);
  co_return request.ok() && request->read != holder.tried_with;
}

Task<void> TokenKeeper::renewed(Holder& holder) {
  begin(holder);
  if (!holder.renewing) co_return;  // relayd ends
  async::Event over;
  holder.waiting.push_back(&over);
  co_await over;
}

void TokenKeeper::begin(Holder& holder) {
  if (holder.renewing || world_.stop.stop_requested()) return;
  holder.renewing = true;
  scope_.spawn(renew(holder));
}

Task<TokenKeeper::Attempt> TokenKeeper::attempt(Holder& holder, bool with_previous) {
  TokenNeed need = need_of(holder);
  need.with_previous = with_previous;
  const auto make = [need = std::move(need), &store = world_.store] {
    return make_token_request(need, store);
  };
  Result<TokenRequest> request = co_await world_.workers.run(make);
  Attempt attempt;
  if (!request) {
    // A program that failed may do better in a moment; a file or a key does not by itself.
    attempt.reply =
        oauth::Refusal{.description = request.error(), .temporary = !account_.oauth2.token_command.empty()};
    co_return attempt;
  }
  attempt.request = std::move(*request);
  holder.tried_with = attempt.request.read;
  if (attempt.request.printed) {
    attempt.reply = std::move(attempt.request.printed->reply);
    co_return attempt;
  }
  const TokenServer server{attempt.request.url, account_.ca_file, account_.proxy};
  TokenRequests::Answer answer = co_await world_.requests.post(server, attempt.request.form, world_.stop);
  attempt.reply = std::move(answer.reply);
  attempt.skew = oauth::clock_skew(answer.response, world_.loop.wall_now());
  co_return attempt;
}

Task<void> TokenKeeper::renew(Holder& holder) {
  Attempt made = co_await attempt(holder, false);
  const auto* const refusal = std::get_if<oauth::Refusal>(&made.reply);
  const bool is_dead = refusal && refusal->error == "invalid_grant" && made.request.sign_in;
  // A crash between two tokens may have left the server with another one than ours.
  if (is_dead && !made.request.sign_in->previous.empty()) {
    Attempt again = co_await attempt(holder, true);
    if (std::holds_alternative<oauth::Grant>(again.reply)) made = std::move(again);
  }
  tell_skew(made);
  if (auto* const grant = std::get_if<oauth::Grant>(&made.reply)) {
    if (made.request.sign_in) co_await keep_sign_in(made);
    take(holder, std::move(*grant));
  } else {
    fail(holder, made);
  }
  holder.renewing = false;
  for (async::Event* const over : std::exchange(holder.waiting, {})) over->set();
}

// The refresh token that came is durable before anything else happens; where the disk fails, it is used and
// written later.
Task<void> TokenKeeper::keep_sign_in(const Attempt& attempt) {
  const Secret& fresh = std::get<oauth::Grant>(attempt.reply).refresh_token;
  oauth::StoredToken sign_in = *attempt.request.sign_in;
  const Secret sent = sign_in.refresh_token;
  const WallTime now = world_.loop.wall_now();
  const bool is_new = !fresh.empty() && fresh != sign_in.refresh_token;
  if (!is_new && attempt.request.is_kept && now - sign_in.obtained < day) co_return;
  if (is_new) {
    sign_in.previous = sign_in.refresh_token;
    sign_in.refresh_token = fresh;
  }
  sign_in.obtained = now;
  co_await write(std::move(sign_in), sent);
}

// `sent`: the refresh token that it came for. Who has signed in meanwhile has another one in the file, which
// counts.
Task<void> TokenKeeper::write(oauth::StoredToken sign_in, Secret sent) {
  const auto keep = [this, &sign_in, &sent, account = account_] {
    const Result<std::optional<oauth::StoredToken>> there = world_.store.read(account);
    const bool is_others = there && *there && (*there)->refresh_token != sent &&
                           (*there)->refresh_token != sign_in.refresh_token && (*there)->seed == sign_in.seed;
    if (!is_others) world_.store.write(account, sign_in);
  };
  try {
    co_await world_.workers.run(keep);
    unwritten_.reset();
  } catch (const disk::DiskError& error) {
    if (!unwritten_)
      world_.log.warning("token_not_written", {{"upstream", account_.upstream}, {"reason", error.what()}});
    unwritten_ = std::move(sign_in);
    writing_.at(world_.loop.now() + write_again_after, [this, sent] {
      if (unwritten_) scope_.spawn(write(*unwritten_, sent));
    });
  }
}

// JWTs die of it, and people wonder.
void TokenKeeper::tell_skew(const Attempt& attempt) {
  if (!attempt.skew) return;
  const bool is_off = std::chrono::abs(*attempt.skew) >= told_skew;
  if (is_off && !skew_told_)
    world_.log.warning("clock_skew", {{"upstream", account_.upstream}, {"seconds", attempt.skew->count()}});
  skew_told_ = is_off;
}

std::string TokenKeeper::reason_of(const Holder& holder, const Attempt& attempt) const {
  const auto& refusal = std::get<oauth::Refusal>(attempt.reply);
  std::string text = refusal.error;
  if (!refusal.description.empty()) text += (text.empty() ? "" : ": ") + refusal.description;
  const std::string advice =
      oauth::advice(refusal, account_.oauth2,
                    {account_.upstream, holder.user, oauth::endpoint_of(account_.oauth2).scope,
                     attempt.request.thumbprint, attempt.skew});
  return advice.empty() ? text : fmt::format("{}. {}", text, advice);
}

void TokenKeeper::take(Holder& holder, oauth::Grant grant) {
  const SteadyTime now = world_.loop.now();
  holder.life = grant.life;
  holder.obtained = now;
  holder.until = now + grant.life;
  holder.token = send::Token{std::move(grant.access_token), ++last_serial_};
  if (grant.life > seconds(0)) holder.token->until = holder.until;
  holder.used = !holder.waiting.empty();
  holder.failure.reset();
  holder.failures = 0;
  holder.next_try = {};
  world_.log.info(
      "token_refreshed",
      {{"upstream", account_.upstream}, {"account", holder.user}, {"seconds", grant.life.count()}});
  if (grant.life == seconds(0)) {  // asked for at each login
    holder.timer.at(now + forget_after, [this, &holder] { on_timer(holder); });
    return;
  }
  holder.timer.at(now + oauth::renew_after(grant.life, by_chance(oauth::most_spread)),
                  [this, &holder] { on_timer(holder); });
}

void TokenKeeper::fail(Holder& holder, const Attempt& attempt) {
  const auto& refusal = std::get<oauth::Refusal>(attempt.reply);
  if (world_.stop.stop_requested()) {
    holder.failure = send::NoToken{"relayd ends", true};
    return;
  }
  const seconds usual = refusal.temporary
                            ? doubled(first_wait, holder.failures, longest_wait)
                            : doubled(first_refused_wait, holder.failures, longest_refused_wait);
  const seconds wait = std::max(refusal.wait.value_or(usual), first_wait);
  holder.next_try = world_.loop.now() + wait;
  std::string reason = reason_of(holder, attempt);
  const bool is_news = !holder.failure || holder.failure->text != reason;
  holder.failure = send::NoToken{std::move(reason), refusal.temporary, wait};
  ++holder.failures;
  if (is_news)
    world_.log.warning("token_failed", {{"upstream", account_.upstream},
                                        {"account", holder.user},
                                        {"reason", holder.failure->text},
                                        {"trace", refusal.trace_id},
                                        {"correlation", refusal.correlation_id},
                                        {"wait", wait.count()}});
  const bool alive = is_alive(holder);
  if (!alive) holder.used = false;
  holder.timer.at(alive ? holder.next_try : std::max(holder.next_try, world_.loop.now() + forget_after),
                  [this, &holder] { on_timer(holder); });
}

// Time to renew it, or to forget it.
void TokenKeeper::on_timer(Holder& holder) {
  if (holder.used && is_alive(holder)) return begin(holder);
  holder.token.reset();
  if (!names_user(account_.oauth2)) return;
  if (!holder.used && !holder.renewing && holder.asking == 0) {
    const std::string user = holder.user;
    holders_.erase(user);
    return;
  }
  holder.used = false;
  holder.timer.at(world_.loop.now() + forget_after, [this, &holder] { on_timer(holder); });
}

// The refresh token is renewed once it is a week old.
Task<void> TokenKeeper::look_at_sign_in() {
  Holder& holder = holder_of(whom_);
  const auto find = [need = need_of(holder), &store = world_.store] { return find_sign_in(need, store); };
  const Result<TokenRequest> found = co_await world_.workers.run(find);
  seconds wait = day;
  if (found) {
    const auto age = std::chrono::floor<seconds>(world_.loop.wall_now() - found->sign_in->obtained);
    if (age < seconds(0) || age >= week)
      begin(holder);
    else
      wait = week - age;
  }
  weekly_.at(world_.loop.now() + wait + by_chance(hour), [this] { scope_.spawn(look_at_sign_in()); });
}

seconds TokenKeeper::by_chance(seconds most) {
  return seconds(std::uniform_int_distribution<seconds::rep>(0, most.count())(random_));
}

void TokenKeeper::use(TokenAccount account) {
  account_ = std::move(account);
  for (auto& [user, holder] : holders_) holder->next_try = {};
  const bool has_sign_in =
      account_.oauth2.grant == OAuth2Grant::refresh_token && account_.oauth2.token_command.empty();
  whom_ = account_.oauth2.user.empty() ? account_.username : account_.oauth2.user;
  if (has_sign_in)
    weekly_.at(world_.loop.now() + by_chance(hour), [this] {
      if (!world_.stop.stop_requested()) scope_.spawn(look_at_sign_in());
    });
}

}  // namespace relayd
