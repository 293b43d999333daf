// Events of webhooks for tests, as the relay makes them, and a receiver that answers by a script.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "shared/async/event.hpp"
#include "shared/async/workers.hpp"
#include "shared/http/client.hpp"
#include "support/manual_loop.hpp"
#include "tell/webhook.hpp"

namespace relayd::test {

inline std::string webhook_line(int number, WallTime when,
                                config::WebhookEvent what = config::WebhookEvent::delivered,
                                const std::string& text = "2.0.0 Ok") {
  const std::string id = fmt::format("m{:06}", number);
  std::string line;
  tell::append_webhook_event(line,
                             {.what = what,
                              .id = id,
                              .when = when,
                              .from = "ann@example.com",
                              .to = "bob@example.net",
                              .upstream = "main",
                              .host = "mx.example.net:25",
                              .code = 250,
                              .text = text,
                              .provider_id = {}},
                             false);
  return line;
}

// What stands in a body behind each such key, in its order.
inline std::vector<std::string> values_in(const std::string& body, std::string_view key) {
  std::vector<std::string> found;
  for (std::size_t at = 0; (at = body.find(key, at)) != std::string::npos;) {
    at += key.size();
    found.push_back(body.substr(at, body.find('"', at) - at));
  }
  return found;
}
inline std::vector<std::string> messages_in(const std::string& body) {
  return values_in(body, R"("message":")");
}
// The ids of its events.
inline std::vector<std::string> ids_in(const std::string& body) {
  return values_in(body, R"({"id":")");
}

// What a worker has been given comes to its end, and what follows from it begins.
inline void settle(async::Workers& workers, ManualLoop& loop) {
  for (int i = 0; i < 12; ++i) {
    run_task(workers.run([] {}), &loop);
    loop.run();
  }
}

// What a receiver gets and says, over all connections to it.
class ReceiverScript {
 public:
  // Connections are made on the loop of the moment.
  std::unique_ptr<http::Client> client(async::Loop& loop) { return std::make_unique<Client>(*this, loop); }

  std::vector<http::Request> requests;
  std::vector<Deadline> deadlines;
  // In their turn: a status, then what Retry-After says; "refused"; "hangs". After the last: 204.
  std::deque<std::string> answers;

  // The messages in requests that it took, and the events.
  const std::vector<std::string>& told() const { return told_; }
  const std::vector<std::string>& events() const { return events_; }
  static std::string header(const http::Request& request, std::string_view name) {
    for (const http::Header& each : request.headers)
      if (each.name == name) return each.value;
    return {};
  }

 private:
  class Client final : public http::Client {
   public:
    Client(ReceiverScript& script, async::Loop& loop) : script_(script), loop_(loop) {}
    async::Task<http::Response> exchange(const http::Request& request, Deadline deadline,
                                         std::stop_token stop) override {
      script_.requests.push_back(request);
      script_.deadlines.push_back(deadline);
      const std::string answer = script_.next();
      async::Event over;
      const auto end = [&over, this] { loop_.post([&over] { over.set(); }); };
      const std::stop_callback on_stop(answer == "hangs" ? stop : std::stop_token(), end);
      if (answer != "hangs") end();
      co_await over;
      if (stop.stop_requested()) throw async::IoError(async::IoFault::cancelled, "closed by us");
      if (answer == "refused") throw async::IoError(async::IoFault::refused, "nobody listens");
      http::Response response;
      response.status = std::stoi(answer);
      if (answer.size() > 4) response.headers = {{"retry-after", answer.substr(4)}};
      if (response.status / 100 == 2) {
        for (std::string& each : messages_in(request.body)) script_.told_.push_back(std::move(each));
        for (std::string& each : ids_in(request.body)) script_.events_.push_back(std::move(each));
      }
      co_return response;
    }

   private:
    ReceiverScript& script_;
    async::Loop& loop_;
  };

  std::string next() {
    if (answers.empty()) return "204";
    std::string answer = std::move(answers.front());
    answers.pop_front();
    return answer;
  }

  std::vector<std::string> told_;
  std::vector<std::string> events_;
};

}  // namespace relayd::test
