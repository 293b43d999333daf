// relayd oauth login, relayd oauth status: a person signs in, and what is known of each account.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stop_token>
#include <vector>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "examine.hpp"
#include "oauth_browser.hpp"
#include "relay/token_clients.hpp"
#include "relay/token_requests.hpp"
#include "relay/token_sources.hpp"
#include "reload.hpp"
#include "route/oauth2.hpp"
#include "route/router.hpp"
#include "shared/async/scope.hpp"
#include "shared/base/counted.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/oauth/assertion.hpp"
#include "shared/oauth/sign_in.hpp"
#include "shown.hpp"
#include "start.hpp"

namespace relayd::command {

namespace {

using async::Task;
using nlohmann::json;
using std::chrono::seconds;
using watch::Finding;
using watch::Health;

constexpr seconds browser_patience{900};

int fail(int status, std::string_view text) {
  fmt::print(stderr, "relayd: {}\n", shown(text));
  return status;
}

std::string random_text() {
  std::random_device random;
  std::string octets;
  for (int i = 0; i < 8; ++i) {
    const unsigned number = random();
    octets.append({static_cast<char>(number), static_cast<char>(number >> 8), static_cast<char>(number >> 16),
                   static_cast<char>(number >> 24)});
  }
  return oauth::base64url(octets);
}

// One sign-in, and how it ends.
class SignIn {
 public:
  SignIn(net::AsioLoop& loop, TokenAccount account, Secret client_secret)
      : loop_(loop),
        clients_(loop, std::make_shared<net::DnsClient>(loop)),
        requests_(loop, [this](const TokenServer& server) { return clients_.connect(server); }),
        account_(std::move(account)),
        endpoint_(oauth::endpoint_of(account_.oauth2)),
        client_secret_(std::move(client_secret)) {}

  // With a refresh token, or why there is none.
  Task<Result<oauth::Grant>> run(bool browser) {
    if (endpoint_.device_url.empty() || browser) {
      Result<oauth::Grant> grant = co_await by_browser();
      co_return grant;
    }
    Result<oauth::Grant> grant = co_await by_code();
    co_return grant;
  }

 private:
  Task<Result<oauth::Grant>> by_code() {
    Secret form = oauth::device_form(account_.oauth2, endpoint_);
    const http::Response response = co_await ask(endpoint_.device_url, std::move(form));
    const Result<oauth::DeviceCode> code = oauth::parse_device_code(response);
    if (!code) co_return Error{code.error()};
    fmt::print("Open {} and type {}\n", shown(code->verification_uri), shown(code->user_code));
    std::fflush(stdout);
    const SteadyTime end = loop_.now() + code->life;
    seconds interval = code->interval;
    while (loop_.now() < end) {
      co_await async::sleep_until(loop_, loop_.now() + interval);
      Secret poll = oauth::poll_form(account_.oauth2, client_secret_, code->device_code);
      TokenRequests::Answer answer =
          co_await requests_.post(server(endpoint_.token_url), std::move(poll), {});
      const auto* const refusal = std::get_if<oauth::Refusal>(&answer.reply);
      if (!refusal) co_return grant_of(std::move(answer.reply));
      const std::optional<seconds> wait = oauth::wait_after(*refusal, interval);
      if (!wait) co_return grant_of(std::move(answer.reply));
      interval = *wait;
    }
    co_return Error{"nobody signed in in time"};
  }

  Task<Result<oauth::Grant>> by_browser() {
    if (endpoint_.authorize_url.empty())
      co_return Error{"where a person signs in is not known: set token_url"};
    BrowserListener listener;
    // Microsoft accepts an application's own address by this name only; others by the number (RFC 8252 8.3).
    const bool by_name = account_.oauth2.provider == config::OAuth2Provider::microsoft ||
                         account_.oauth2.provider == config::OAuth2Provider::azure;
    const oauth::BrowserRequest request{listener.redirect(by_name ? "localhost" : "127.0.0.1"), random_text(),
                                        random_text()};
    fmt::print(
        "Open this in a browser:\n\n{}\n\nWhere the browser is on another machine, its last page does not "
        "load: paste the address of that page here.\n",
        oauth::browser_url(account_.oauth2, endpoint_, request));
    std::fflush(stdout);
    const Result<Secret> code = listener.wait(request.state, browser_patience);
    if (!code) co_return Error{code.error()};
    Secret form = oauth::code_form(account_.oauth2, endpoint_, request, client_secret_, *code);
    TokenRequests::Answer answer = co_await requests_.post(server(endpoint_.token_url), std::move(form), {});
    co_return grant_of(std::move(answer.reply));
  }

  TokenServer server(const std::string& url) const { return {url, account_.ca_file, account_.proxy}; }

  Task<http::Response> ask(std::string url, Secret form) {
    const std::unique_ptr<http::Client> client = clients_.connect(server(url));
    const http::Request request{
        .headers = {{"Content-Type", "application/x-www-form-urlencoded"}, {"Accept", "application/json"}},
        .body = std::string(form.reveal())};
    const Deadline deadline = loop_.now() + TokenRequests::patience;
    http::Response response;
    try {
      response = co_await client->exchange(request, deadline, {});
    } catch (const async::IoError& error) {
      response.body = fmt::format(R"({{"error":"unreachable"}})");
      fmt::print(stderr, "relayd: {}\n", shown(error.what()));
    }
    co_return response;
  }

  static Result<oauth::Grant> grant_of(oauth::Reply reply) {
    if (const auto* const refusal = std::get_if<oauth::Refusal>(&reply))
      return Error{fmt::format("{}: {}", refusal->error, refusal->description)};
    if (std::get<oauth::Grant>(reply).refresh_token.empty())
      return Error{"the server gave no refresh token: does the scope ask for one?"};
    return std::move(std::get<oauth::Grant>(reply));
  }

  net::AsioLoop& loop_;
  TokenClients clients_;
  TokenRequests requests_;
  TokenAccount account_;
  oauth::Endpoint endpoint_;
  Secret client_secret_;
};

std::vector<TokenAccount> accounts_of(const route::Router& router) {
  std::vector<TokenAccount> accounts = token_accounts(router);
  std::ranges::sort(accounts, {},
                    [](const TokenAccount& one) { return std::pair(one.upstream, one.username); });
  return accounts;
}

// Why this user cannot keep sign-ins there; empty: they can be kept.
std::string why_not_kept(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0)
    return fmt::format("{} is not there yet: start relayd once", directory);
  if (status.st_uid == ::geteuid()) return {};
  return fmt::format("run this as root, or as the owner of {}", directory);
}

Result<oauth::Grant> sign_in(const TokenAccount& account, bool browser) {
  Secret client_secret;
  if (account.oauth2.client_secret.given()) {
    Result<Secret> read = account.oauth2.client_secret.read();
    if (!read) return Error{fmt::format("client_secret: {}", read.error())};
    client_secret = std::move(*read);
  }
  net::AsioLoop loop;
  SignIn flow(loop, account, std::move(client_secret));
  std::optional<Result<oauth::Grant>> outcome;
  async::Scope scope;
  const auto follow = [](SignIn& one, bool by_browser, std::optional<Result<oauth::Grant>>& out,
                         net::AsioLoop& until) -> Task<void> {
    Result<oauth::Grant> grant = co_await one.run(by_browser);
    out.emplace(std::move(grant));
    until.stop();
  };
  loop.post([&] { scope.spawn(follow(flow, browser, outcome, loop)); });
  loop.run();
  return std::move(*outcome);
}

// The token that a sign-in has brought.
class OneToken final : public send::Tokens {
 public:
  explicit OneToken(Secret text) : text_(std::move(text)) {}
  Task<Answer> token(std::string /*user*/, std::optional<std::uint64_t> /*refused*/) override {
    co_return Answer{send::Token{text_, 1}, {}};
  }

 private:
  Secret text_;
};

// Why the account cannot log in with the token; nothing: it can.
std::optional<Finding> try_login(const std::shared_ptr<const route::Router>& router,
                                 const TokenAccount& account, Secret access_token) {
  OneToken token(std::move(access_token));
  const auto is_ours = [&](const route::Choice& choice) -> send::Tokens* {
    return choice.username == account.username ? &token : nullptr;
  };
  const DoctorOrder order{.upstreams = {account.upstream}, .account = account.username};
  for (const Finding& finding : examine(router, order, is_ours))
    if (finding.health == Health::failed && finding.step != watch::Step::sender &&
        (finding.account.empty() || finding.account == account.username))
      return finding;
  return std::nullopt;
}

// What a running relayd says of itself; empty: none answers.
json standing_of(const std::string& socket) {
  DaemonConnection daemon(socket);
  watch::Request request;
  request.command = "status";
  std::string line;
  if (!daemon.ask(request) || !daemon.line(line)) return json::object();
  json answer = parse_answer(line);
  return answer.is_object() ? answer : json::object();
}

}  // namespace

int oauth_login(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  if (!built.router) return EX_CONFIG;
  std::vector<TokenAccount> accounts = accounts_of(*built.router);
  std::erase_if(accounts, [&](const TokenAccount& one) {
    return one.upstream != options.upstream || one.oauth2.grant != config::OAuth2Grant::refresh_token ||
           !one.oauth2.token_command.empty() || (!options.account.empty() && one.username != options.account);
  });
  if (!built.router->upstream(options.upstream))
    return fail(EX_USAGE, fmt::format("there is no upstream '{}'", options.upstream));
  if (accounts.empty())
    return fail(EX_USAGE, fmt::format("upstream '{}' has no such account with 'grant: refresh_token'",
                                      options.upstream));
  if (accounts.size() > 1)
    return fail(EX_USAGE,
                fmt::format("upstream '{}' has several accounts: name one with --account", options.upstream));
  const TokenAccount& account = accounts[0];
  process::User user;
  if (!become_daemon_user(*config, user)) return EX_NOPERM;
  if (const std::string reason = why_not_kept(config->queue.directory); !reason.empty())
    return fail(EX_NOPERM, reason);
  try {
    disk::PosixDisk disk;
    if (!disk.hold(config->queue.directory + "/tokens"))
      return fail(EX_NOPERM, "somebody else is signing in at this moment");
    Result<oauth::Grant> grant = sign_in(account, options.browser);
    if (!grant) return fail(EX_NOPERM, grant.error());
    const std::optional<Finding> failure = try_login(built.router, account, std::move(grant->access_token));
    if (failure && failure->reply_class == smtp::to_string(smtp::ReplyClass::auth))
      return fail(EX_NOPERM, fmt::format("nothing is kept, as the login fails: {}", to_text(*failure)));
    if (failure)
      fmt::print(stderr, "relayd: not tried, as the way there fails: {}\n", shown(to_text(*failure)));
    TokenStore store(disk, ".");
    store_sign_in(account, grant->refresh_token, wall_now(), store);
  } catch (const std::system_error& error) {
    return fail(EX_NOPERM, error.what());
  }
  fmt::print("Signed in for {} at {}.\n", shown(account.username), shown(account.upstream));
  reload_at(daemon_socket(options, *config));  // waiting mail is sent at once
  return EX_OK;
}

int oauth_status(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const route::Router::Built built = route::Router::build(config);
  print(built.errors);
  if (!built.router) return EX_CONFIG;
  const json running = standing_of(daemon_socket(options, *config));
  for (const TokenAccount& account : accounts_of(*built.router)) {
    const std::string user = account.oauth2.user_is_sender ? "each sender" : account.username;
    fmt::print("{}: {} for {}", shown(account.upstream), route::grant_text(account.oauth2), shown(user));
    for (const json& one : running.value("credentials", json::array()))
      if (text(one, "kind") == "access_token" && text(one, "upstream") == shown(account.upstream) &&
          text(one, "account") == shown(account.username))
        fmt::print(", the token ends in {} s", one.value("ends_in", 0));
    if (account.oauth2.secret_expires) {
      const auto today = std::chrono::floor<std::chrono::days>(wall_now());
      fmt::print(", the client secret ends in {}",
                 counted((*account.oauth2.secret_expires - today).count(), "day"));
    }
    fmt::print("\n");
  }
  return EX_OK;
}

}  // namespace relayd::command
