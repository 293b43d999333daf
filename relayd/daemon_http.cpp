#include "daemon_http.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "daemon_connection.hpp"
#include "shared/async/scope.hpp"
#include "shared/config/secret_source.hpp"
#include "shared/http/stream_client.hpp"
#include "shared/net/dialer.hpp"
#include "shown.hpp"
#include "watch/answer.hpp"

namespace relayd::command {

using async::Task;
using nlohmann::json;
using watch::Question;

namespace {

constexpr std::size_t longest_answer = std::size_t{1} << 30;
constexpr std::chrono::minutes usual_patience{10};  // with a change of all that waits

Result<Secret> token_of_environment() {
  config::SecretSource source;
  const auto is_set = [&source](const char* name, config::SecretSource::Kind kind) {
    const char* const value = std::getenv(name);
    if (!value || !*value) return false;
    source.kind = kind;
    source.name = kind == config::SecretSource::Kind::file ? value : name;
    return true;
  };
  if (!is_set("RELAYD_HTTP_TOKEN", config::SecretSource::Kind::environment) &&
      !is_set("RELAYD_HTTP_TOKEN_FILE", config::SecretSource::Kind::file))
    return Secret();
  Result<Secret> token = source.read();
  if (!token) return Error{fmt::format("the token cannot be read: {}", token.error())};
  return token;
}

std::string shown_url(const http::Url& url) {
  return shown(http::shown(url));
}

// Where the window is, and what shows who asks.
struct Remote {
  http::Url url;
  std::chrono::seconds patience;
  std::vector<http::Header> headers = {};
};

Result<Remote> remote_at(const std::string& text, std::chrono::seconds patience) {
  Result<http::Url> url = http::parse_url(text);
  if (!url) return Error{url.error()};
  while (url->target.ends_with('/')) url->target.pop_back();
  const Result<Secret> token = token_of_environment();
  if (!token) return Error{token.error()};
  Remote remote{std::move(*url), patience.count() > 0 ? patience : usual_patience};
  if (token->empty()) return remote;
  if (!http::is_secure(remote.url))
    return Error{
        fmt::format("--url {}: the token would go in the clear. Use https, or a tunnel to this machine",
                    shown_url(remote.url))};
  remote.headers.push_back({"Authorization", "Bearer " + std::string(token->reveal())});
  return remote;
}

// The response, or why there is none.
struct Outcome {
  std::optional<http::Response> response = {};
  std::string failure = {};
};

Task<void> exchange(net::AsioLoop& loop, http::Client& client, const http::Request& request,
                    std::chrono::seconds patience, Outcome& outcome) {
  try {
    http::Response response = co_await client.exchange(request, loop.now() + patience, {});
    outcome.response = std::move(response);
  } catch (const async::IoError& error) {
    outcome.failure = error.what();
  }
  loop.stop();
}

// Empty: it is none of relayd's.
std::string error_of(std::string_view body) {
  const json object = parse_answer(body);
  const bool is_error = object.contains("error") && object["error"].is_string();
  return is_error ? shown(object["error"].get<std::string>()) : "";
}

// Lines, an object or a message, or an error. A server before relayd may have other things to say.
bool is_of_relayd(const http::Response& response) {
  if (response.status != 200) return !error_of(response.body).empty();
  const auto type = std::ranges::find(response.headers, "content-type", &http::Header::name);
  const std::string value = type == response.headers.end() ? "" : type->value;
  return value == "application/json" || value == "application/x-ndjson" ||
         value == "application/octet-stream";
}

// The error: it does not answer, or not as relayd does.
Result<std::string> ask(const Remote& remote, const Question& question) {
  http::Url url = remote.url;
  url.target += question.target;
  http::Request request{question.method, remote.headers, question.body};
  if (!question.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  net::AsioLoop loop;
  net::NetDialer dialer(loop);
  http::StreamClient client(loop, dialer, {.url = url, .most = longest_answer});
  Outcome outcome;
  async::Scope scope;
  loop.post([&] { scope.spawn(exchange(loop, client, request, remote.patience, outcome)); });
  loop.run();
  const std::string place = shown_url(url);
  if (!outcome.response)
    return Error{fmt::format("relayd does not answer on {}: {}", place, shown(outcome.failure))};
  http::Response& response = *outcome.response;
  if (!is_of_relayd(response))
    return Error{fmt::format("{} answers with status {}, and not as relayd does", place, response.status)};
  if (response.status == 401 || response.status == 403)
    return Error{fmt::format("{}: {}. The token comes from RELAYD_HTTP_TOKEN or RELAYD_HTTP_TOKEN_FILE",
                             place, error_of(response.body))};
  return std::move(response.body);
}

std::string end_line(std::size_t count) {
  return watch::line_of({{"end", true}, {"count", count}});
}

// Each message's object, with its octets where they are wanted.
Result<std::string> show(const Remote& remote, watch::Request request) {
  const std::vector<std::string> ids = std::move(request.ids);
  if (ids.empty()) return Error{"show which message? Give its id"};
  const bool wants_body = std::exchange(request.body, false);
  std::string lines;
  for (const std::string& id : ids) {
    request.ids = {id};
    Result<std::string> line = ask(remote, watch::question_for(request).value());
    if (!line) return line;
    json object = parse_answer(*line);
    if (!object.is_object())
      return Error{fmt::format("{} does not answer as relayd does", shown_url(remote.url))};
    if (!wants_body || object.contains("error")) {
      lines += *line;
      continue;
    }
    watch::Request whole = request;
    whole.body = true;
    const Result<std::string> octets = ask(remote, watch::question_for(whole).value());
    if (!octets) return octets;
    object["octets"] = octets->size();
    lines += watch::line_of(object) + *octets;
  }
  return lines + end_line(ids.size());
}

}  // namespace

bool is_url(std::string_view address) {
  return address.find("://") != std::string_view::npos;
}

std::string fault_of_url(const std::string& text) {
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return url.error();
  return url->target.find('?') == std::string::npos ? "" : "leave out the '?' and what follows";
}

Result<std::string> ask_over_http(const std::string& url, const watch::Request& request,
                                  std::chrono::seconds patience) {
  const Result<Remote> remote = remote_at(url, patience);
  if (!remote) return Error{remote.error()};
  if (request.command == "show") return show(*remote, request);
  const Result<Question> question = watch::question_for(request);
  if (!question) return Error{question.error()};
  Result<std::string> answer = ask(*remote, *question);
  if (!answer) return answer;
  // An object is a line without an end, and so is an error.
  const bool is_object = request.command == "status" || request.command == "reload";
  if (is_object || !error_of(*answer).empty()) *answer += end_line(1);
  return answer;
}

Result<std::string> ask_over_http(const std::string& url, const watch::HistoryQuestion& question) {
  const Result<Remote> remote = remote_at(url, std::chrono::seconds(0));
  if (!remote) return Error{remote.error()};
  return ask(*remote, watch::question_for(question));
}

}  // namespace relayd::command
