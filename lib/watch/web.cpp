#include "watch/web.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "watch/answer.hpp"
#include "watch/metrics_format.hpp"
#include "watch/page.hpp"

namespace relayd::watch {

using async::Task;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr unsigned socket_mode = 0660;
constexpr Duration guess_time = 1s;  // until a wrong token is answered
constexpr unsigned most_guesses = 16;
constexpr unsigned most_questions = 4;  // under way

constexpr const char* type_field = "Content-Type";
constexpr const char* json_type = "application/json";
constexpr const char* lines_type = "application/x-ndjson";

std::vector<http::Header> headers_of_all() {
  return {{"Cache-Control", "no-store"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Referrer-Policy", "no-referrer"},
          {"X-Content-Type-Options", "nosniff"},
          {"X-Frame-Options", "DENY"}};
}

// It can be answered while the queue is being read.
bool is_of_a_start(const Asked& asked) {
  using What = Asked::What;
  if (asked.what == What::object)
    return asked.request.command == "status" || asked.request.command == "reload";
  return asked.what == What::live || asked.what == What::ready || asked.what == What::page;
}

std::unique_ptr<net::Acceptor> bind(net::AsioLoop& loop, const Web::Address& address,
                                    net::Acceptor::OnConnection on_connection) {
  if (!address.unix_path.empty())
    return net::Acceptor::unix_socket(loop, address.unix_path, socket_mode, nullptr,
                                      std::move(on_connection));
  if (!address.inherited.empty())
    return net::Acceptor::inherited(loop, address.inherited, nullptr, std::move(on_connection));
  return net::Acceptor::tcp(loop, address.host, address.port, nullptr, std::move(on_connection));
}

}  // namespace

Web::Web(net::AsioLoop& loop, async::Workers& workers, Desk& desk, const Address& address, Entrance entrance,
         Hooks hooks)
    : loop_(loop),
      workers_(workers),
      desk_(desk),
      entrance_(std::move(entrance)),
      hooks_(std::move(hooks)),
      captured_(loop, hooks_.slow_workers, hooks_.captured),
      events_(
          loop, workers, [&desk] { return desk.status(); }, hooks_.series),
      server_(loop, headers_of_all(), [this](http::Exchange& exchange) { return answer(exchange); }),
      acceptor_(bind(loop, address,
                     [this](std::unique_ptr<async::Stream> stream) { server_.take(std::move(stream)); })) {}

Task<void> Web::answer(http::Exchange& exchange) {
  const Judged judged = judge(exchange.request(), entrance_);
  if (const auto* refused = std::get_if<http::Answer>(&judged)) {
    co_await refuse(exchange, *refused);
    co_return;
  }
  const Asked& asked = std::get<Asked>(judged);
  if (desk_.is_starting() && !is_of_a_start(asked)) {
    const http::Answer later = refusal(503, "starting: the queue is being read; try again in a moment");
    co_await exchange.answer(later);
    co_return;
  }
  switch (asked.what) {
    case Asked::What::live: {
      const http::Answer well{200, {{type_field, json_type}}, "{\"live\":true}\n"};
      co_await exchange.answer(well);
      break;
    }
    case Asked::What::ready:
      co_await tell_ready(exchange);
      break;
    case Asked::What::metrics:
      co_await tell_metrics(exchange);
      break;
    case Asked::What::events:
      co_await events_.follow(exchange);
      break;
    case Asked::What::series:
      co_await tell_series(exchange);
      break;
    case Asked::What::lanes:
      co_await tell_lanes(exchange, asked.lanes);
      break;
    case Asked::What::history:
    case Asked::What::explain:
      co_await tell_slowly(exchange, asked);
      break;
    case Asked::What::page:
      co_await tell_page(exchange);
      break;
    case Asked::What::lines:
      co_await tell_lines(exchange, asked.request);
      break;
    case Asked::What::object:
      co_await tell_object(exchange, asked.request);
      break;
    case Asked::What::message:
      co_await tell_message(exchange, asked.request);
      break;
    case Asked::What::captured:
      co_await captured_.answer(exchange, asked.captured);
      break;
  }
}

// Who guesses waits for each answer, and few guess at a time.
Task<void> Web::refuse(http::Exchange& exchange, const http::Answer& refusal) {
  if (refusal.status == 401 && exchange.request().header("authorization")) {
    if (guesses_ >= most_guesses) {
      const http::Answer later = watch::refusal(429, "too many wrong tokens at a time");
      co_await exchange.answer(later);
      co_return;
    }
    ++guesses_;
    co_await async::sleep_until(loop_, loop_.now() + guess_time);
    --guesses_;
  }
  co_await exchange.answer(refusal);
}

Task<void> Web::tell_ready(http::Exchange& exchange) {
  const std::vector<std::string> reasons = co_await hooks_.not_ready();
  const http::Answer answer{reasons.empty() ? 200 : 503,
                            {{type_field, json_type}},
                            line_of({{"ready", reasons.empty()}, {"reasons", reasons}})};
  co_await exchange.answer(answer);
}

Task<void> Web::tell_metrics(http::Exchange& exchange) {
  const std::string* const accept = exchange.request().header("accept");
  const telemetry::MetricFormat format = metric_format(accept ? *accept : "");
  http::Answer answer{200, {{type_field, std::string(content_type(format))}}, {}};
  answer.body = co_await desk_.metrics(format);
  co_await exchange.answer(answer);
}

Task<void> Web::tell_series(http::Exchange& exchange) {
  const http::Answer answer{
      200, {{type_field, json_type}}, hooks_.series.to_json(loop_.now(), loop_.wall_now()) + "\n"};
  co_await exchange.answer(answer);
}

Task<void> Web::tell_lanes(http::Exchange& exchange, const LaneFilter& filter) {
  Status status = co_await desk_.status();
  const auto make = [&] { return lanes_line(std::move(status), filter); };
  http::Answer answer{200, {{type_field, json_type}}, {}};
  answer.body = co_await workers_.run(make);
  co_await exchange.answer(answer);
}

namespace {

// What a hook has said: a text of that type, or what is wrong with the question.
http::Answer answer_of(const Result<std::string>& said, const char* type) {
  if (!said) return refusal(400, said.error());
  return {200, {{type_field, type}}, *said};
}

}  // namespace

// What takes a search, or asks DNS.
Task<void> Web::tell_slowly(http::Exchange& exchange, const Asked& asked) {
  if (questions_ >= most_questions) {
    const http::Answer later = refusal(503, "too much is being searched for; try again in a moment");
    co_await exchange.answer(later);
    co_return;
  }
  ++questions_;
  http::Answer answer;
  if (asked.what == Asked::What::history) {
    const Result<std::string> lines = co_await hooks_.history(asked.history);
    answer = answer_of(lines, lines_type);
  } else {
    Result<std::string> text = co_await hooks_.explain(asked.explain);
    if (text) text = line_of({{"text", *text}});
    answer = answer_of(text, json_type);
  }
  --questions_;
  co_await exchange.answer(answer);
}

Task<void> Web::tell_page(http::Exchange& exchange) {
  const Page& page = watch::page();
  const http::Answer answer{200,
                            {{type_field, "text/html; charset=utf-8"},
                             {"Content-Security-Policy", page.policy},
                             {"Cross-Origin-Opener-Policy", "same-origin"}},
                            page.document};
  co_await exchange.answer(answer);
}

Task<void> Web::tell_lines(http::Exchange& exchange, const Request& request) {
  const std::vector<http::Header> headers = {{type_field, lines_type}};
  co_await exchange.begin(200, headers);
  const Answer answer = [&exchange](std::string_view lines) { return exchange.write(lines); };
  co_await desk_.answer(request, {}, answer);
  co_await exchange.end();
}

namespace {

async::Task<void> keep_first_line(std::string& kept, std::string_view lines) {
  if (kept.empty()) kept = lines.substr(0, lines.find('\n') + 1);
  co_return;
}

// Members come in the order of the alphabet.
bool is_error(const std::string& line) {
  return line.starts_with("{\"error\":");
}

}  // namespace

Task<void> Web::tell_object(http::Exchange& exchange, const Request& request) {
  http::Answer whole{200, {{type_field, json_type}}, {}};
  const Answer answer = [&whole](std::string_view lines) { return keep_first_line(whole.body, lines); };
  co_await desk_.answer(request, {}, answer);
  if (is_error(whole.body)) whole.status = 404;
  co_await exchange.answer(whole);
}

namespace {

// What `show` with the message answers: a line that says how many octets follow, these, and a line at the
// end.
class Saving {
 public:
  Saving(http::Exchange& exchange, const std::string& id) : exchange_(exchange), id_(id) {}

  Task<void> take(std::string_view text) {
    if (!begun_) {
      begun_ = true;
      const json object = json::parse(text, nullptr, false);
      found_ = object.is_object() && object.contains("octets");
      if (!found_) {
        const http::Answer missing{404, {{type_field, json_type}}, std::string(text)};
        co_await exchange_.answer(missing);
        co_return;
      }
      left_ = object["octets"].get<std::uint64_t>();
      const std::vector<http::Header> headers = {
          {type_field, "application/octet-stream"},
          {"Content-Disposition", fmt::format("attachment; filename=\"{}.eml\"", id_)}};
      co_await exchange_.begin(200, headers);
      co_return;
    }
    if (!found_) co_return;
    const std::string_view octets = text.substr(0, std::min<std::uint64_t>(left_, text.size()));
    left_ -= octets.size();
    co_await exchange_.write(octets);
  }

  bool whole() const { return found_ && left_ == 0; }

 private:
  http::Exchange& exchange_;
  const std::string& id_;
  bool begun_ = false;
  bool found_ = false;
  std::uint64_t left_ = 0;
};

}  // namespace

Task<void> Web::tell_message(http::Exchange& exchange, const Request& request) {
  Saving saving(exchange, request.ids.front());
  const Answer answer = [&saving](std::string_view text) { return saving.take(text); };
  co_await desk_.answer(request, {}, answer);
  if (saving.whole()) co_await exchange.end();
}

}  // namespace relayd::watch
