#include "relay/token_requests.hpp"

#include <fmt/format.h>

#include <utility>

#include "shared/http/url.hpp"

namespace relayd {

using async::Task;

Task<TokenRequests::Answer> TokenRequests::post(TokenServer server, Secret form, std::stop_token stop) {
  const Result<http::Url> url = http::parse_url(server.url);
  if (!url) co_return Answer{oauth::Refusal{.description = url.error()}, {}};
  const std::string place = http::endpoint(*url);
  Host& host = hosts_[place];
  if (host.under_way == most_at_once) {
    async::Event turn;
    host.waiting.push_back(&turn);
    co_await turn;
  } else {
    ++host.under_way;
  }
  Answer answer;
  try {
    answer.response = co_await exchange(server, form, stop);
    answer.reply = oauth::parse_reply(answer.response, loop_.wall_now());
    wipe(answer.response.body);
  } catch (const async::IoError& error) {
    answer.reply =
        oauth::Refusal{.description = fmt::format("{}: {}", place, error.what()), .temporary = true};
  }
  if (host.waiting.empty()) {
    --host.under_way;
  } else {
    async::Event* const next = host.waiting.front();
    host.waiting.pop_front();
    next->set();
  }
  co_return answer;
}

Task<http::Response> TokenRequests::exchange(const TokenServer& server, const Secret& form,
                                             std::stop_token stop) {
  const std::unique_ptr<http::Client> client = connect_(server);
  http::Request request{.headers = {{"Content-Type", "application/x-www-form-urlencoded"},
                                    {"Accept", "application/json"},
                                    {"User-Agent", "relayd"}},
                        .body = std::string(form.reveal())};
  const Deadline deadline = loop_.now() + patience;
  http::Response response;
  try {
    response = co_await client->exchange(request, deadline, stop);
  } catch (...) {
    wipe(request.body);
    throw;
  }
  wipe(request.body);
  co_return response;
}

}  // namespace relayd
