// A token server that answers by a script, for tests of what asks it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "relay/token_keepers.hpp"
#include "relay/token_requests.hpp"
#include "shared/async/event.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd::test {

class TokenScript {
 public:
  struct Answer {
    int status = 200;
    std::string body;
    std::vector<http::Header> headers = {};
  };

  explicit TokenScript(ManualLoop& loop) : loop_(loop) {}

  TokenRequests::Connect connect() {
    return [this](const TokenServer& server) {
      servers.push_back(server);
      return std::make_unique<Client>(*this);
    };
  }

  static std::string grant(std::string_view token, std::string_view expires_in = "3600",
                           std::string_view refresh_token = "") {
    return fmt::format(R"({{"token_type":"Bearer","access_token":"{}","expires_in":{}{}}})", token,
                       expires_in,
                       refresh_token.empty() ? "" : fmt::format(R"(,"refresh_token":"{}")", refresh_token));
  }
  static std::string refusal(std::string_view error, std::string_view description) {
    return fmt::format(R"({{"error":"{}","error_description":"{}"}})", error, description);
  }

  // In their turn. After the last: a token of its own that lives an hour, or unreachable.
  std::deque<Answer> answers;
  bool is_down = false;  // nobody listens
  bool holds = false;    // nothing is answered until let_go()

  void let_go() {
    holds = false;
    for (async::Event* const each : std::exchange(held_, {})) each->set();
    loop_.run();
  }

  std::vector<TokenServer> servers;
  std::vector<std::string> forms;
  unsigned under_way = 0;
  unsigned most_under_way = 0;

 private:
  class Client final : public http::Client {
   public:
    explicit Client(TokenScript& script) : script_(script) {}
    async::Task<http::Response> exchange(const http::Request& request, Deadline, std::stop_token) override {
      script_.forms.push_back(request.body);
      script_.most_under_way = std::max(script_.most_under_way, ++script_.under_way);
      if (script_.holds) {
        async::Event over;
        script_.held_.push_back(&over);
        co_await over;
      }
      --script_.under_way;
      if (script_.is_down) throw async::IoError(async::IoFault::refused, "nobody listens");
      Answer answer{200, grant(fmt::format("T0KEN{}", script_.forms.size()))};
      if (!script_.answers.empty()) {
        answer = std::move(script_.answers.front());
        script_.answers.pop_front();
      }
      co_return http::Response{answer.status, answer.headers, answer.body};
    }

   private:
    TokenScript& script_;
  };

  ManualLoop& loop_;
  std::vector<async::Event*> held_;
};

inline config::SecretSource literal(std::string text) {
  config::SecretSource source;
  source.kind = config::SecretSource::Kind::literal;
  source.literal = Secret(std::move(text));
  return source;
}

// Keepers with an account of an app of Microsoft's.
class TokenWorldTest : public testing::Test {
 protected:
  void SetUp() override {
    account.upstream = "main";
    account.username = "ann@example.com";
    account.oauth2.provider = config::OAuth2Provider::microsoft;
    account.oauth2.tenant = "example.com";
    account.oauth2.client_id = "app";
    account.oauth2.client_secret = literal("s3cret");
    start();
  }
  void TearDown() override { stop(); }

  void start() {
    keepers = std::make_unique<TokenKeepers>(loop, quiet, disk, script.connect());
    keepers->use({account});
  }
  void stop() {
    keepers->shut_down();
    run_task(keepers->drained(), &loop);
    keepers.reset();
  }
  void restart() {
    stop();
    disk.restart(0);
    start();
  }

  send::Tokens::Answer ask(std::optional<std::uint64_t> refused = {},
                           const std::string& user = "ann@example.com") {
    return run_task(keepers->of(account).token(user, refused), &loop);
  }
  std::string token(std::optional<std::uint64_t> refused = {}) {
    const send::Tokens::Answer answer = ask(refused);
    return answer.token ? std::string(answer.token->text.reveal()) : "none: " + answer.why.text;
  }
  // Moves the clock, and lets what timers began come to its end.
  void pass(Duration time) {
    loop.advance(time);
    while (loop.wait_for_post(std::chrono::milliseconds(20))) loop.run();
  }

  ManualLoop loop;
  QuietLog quiet;
  ForgettingDisk disk;
  TokenScript script{loop};
  TokenAccount account;
  std::unique_ptr<TokenKeepers> keepers;
};

}  // namespace relayd::test
