#include "watch/api.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::watch {
namespace {

using What = Asked::What;
using testing::HasSubstr;

constexpr const char* token = "0123456789abcdef";

http::ReceivedRequest get(const std::string& target, const std::string& host = "localhost") {
  return {"GET", target, host, {}, "", false, true};
}

http::ReceivedRequest post(const std::string& target, const std::string& body) {
  return {"POST",      target,
          "localhost", {{"authorization", "Bearer 0123456789abcdef"}, {"content-type", "application/json"}},
          body,        true};
}

http::ReceivedRequest with(http::ReceivedRequest request, const std::string& name, const std::string& value) {
  std::erase_if(request.headers, [&](const http::Header& header) { return header.name == name; });
  if (!value.empty()) request.headers.push_back({name, value});
  return request;
}

Entrance entrance() {
  return {Secret(std::string(token)), true, {"relay.internal"}, true};
}

// 200: it is let in.
int status(const http::ReceivedRequest& request, const Entrance& by = entrance()) {
  const Judged judged = judge(request, by);
  const auto* const refused = std::get_if<http::Answer>(&judged);
  return refused ? refused->status : 200;
}

Asked asked(const http::ReceivedRequest& request) {
  Judged judged = judge(request, entrance());
  if (const auto* const refused = std::get_if<http::Answer>(&judged))
    ADD_FAILURE() << request.target << ": " << refused->body;
  return std::get_if<Asked>(&judged) ? std::get<Asked>(judged) : Asked{};
}

TEST(Api, PathsAreWhatTheyAre) {
  EXPECT_EQ(asked(get("/")).what, What::page);
  EXPECT_EQ(asked(get("/livez")).what, What::live);
  EXPECT_EQ(asked(get("/readyz?verbose")).what, What::ready);
  EXPECT_EQ(asked(get("/metrics")).what, What::metrics);
  EXPECT_EQ(asked(get("/status.json")).request.command, "status");
  EXPECT_EQ(asked(get("/api/queue")).request.command, "list");
  EXPECT_EQ(asked(get("/api/events")).what, What::events);
  const Asked shown = asked(get("/api/queue/1abc"));
  EXPECT_EQ(shown.what, What::object);
  EXPECT_EQ(shown.request.command, "show");
  EXPECT_THAT(shown.request.ids, testing::ElementsAre("1abc"));
  EXPECT_FALSE(shown.request.body);
  EXPECT_TRUE(asked(get("/api/queue/1abc/message")).request.body);
}

// What a remote command asks, the daemon reads as what was meant.
TEST(Api, AQuestionIsReadAsItWasMeant) {
  const auto told = [](const Request& request) {
    const Question question = question_for(request).value();
    const http::ReceivedRequest received =
        question.method == "GET" ? get(question.target) : post(question.target, question.body);
    EXPECT_EQ(received.method, question.method);
    return to_line(asked(received).request);
  };
  const auto expect_same = [&told](const Request& request) { EXPECT_EQ(told(request), to_line(request)); };
  for (const char* command : {"list", "retry", "hold", "release", "delete", "suppress_list"}) {
    Request request;
    request.command = command;
    request.all = request.command != "list" && request.command != "suppress_list";
    expect_same(request);
    request.sender = "o'b+c&d=e%f \"x\"@\xc3\xa4.example";
    request.recipient = "#?/@b.example";
    request.upstream = "a b";
    request.state = "held";
    if (request.command == "list") {
      request.details = true;
      request.limit = 7;
      request.after = "1abc";
    }
    expect_same(request);
  }
  Request show;
  show.command = "show";
  show.ids = {"1abc"};
  expect_same(show);
  show.body = true;
  expect_same(show);
  Request pause;
  pause.command = "pause";
  pause.upstream = "ses";
  pause.account = "app@a.example";
  expect_same(pause);
  Request add;
  add.command = "suppress_add";
  add.recipient = "ann@a.example";
  add.reason = "asked for it";
  add.seconds = 86400;
  expect_same(add);
  for (const char* command : {"status", "reload"}) {
    Request request;
    request.command = command;
    expect_same(request);
  }
  for (const char* command : {"health", "history", "metrics", "suppress_import"}) {
    Request request;
    request.command = command;
    EXPECT_FALSE(question_for(request)) << command;
  }
  const HistoryQuestion history{"<a+b@c>", "2h", true, 7};
  const HistoryQuestion read = asked(get(question_for(history).target)).history;
  EXPECT_EQ(read.what, history.what);
  EXPECT_EQ(read.since, history.since);
  EXPECT_TRUE(read.failed);
  EXPECT_EQ(read.limit, 7u);
}

// An id of a command line is no path.
TEST(Api, AnIdThatIsNoneAsksForNothingElse) {
  Request request;
  request.command = "show";
  for (const char* id : {"../reload", "a/message", "a?body", "%2e"}) {
    request.ids = {id};
    EXPECT_EQ(status(get(question_for(request).value().target)), 404) << id;
  }
}

TEST(Api, CapturedMessagesAreNamedByTheirPath) {
  using Captured = CapturedAsked::What;
  const CapturedAsked list = asked(get("/api/captured?query=a+b&after=kept/1a&limit=7")).captured;
  EXPECT_EQ(list.what, Captured::list);
  EXPECT_EQ(list.question.query, "a b");
  EXPECT_EQ(list.question.after, "kept/1a");
  EXPECT_EQ(list.question.limit, 7u);
  const CapturedAsked part = asked(get("/api/captured/the%20other%2fone/1a-2/part/12")).captured;
  EXPECT_EQ(part.what, Captured::part);
  EXPECT_EQ(part.upstream, "the other/one");
  EXPECT_EQ(part.name, "1a-2");
  EXPECT_EQ(part.part, 12u);
  EXPECT_EQ(asked(get("/captured/0af")).captured.ticket, "0af");
  EXPECT_EQ(asked(post("/api/captured/clear", R"({"upstream": "x"})")).captured.question.upstream, "x");
  EXPECT_EQ(status(post("/api/captured/clear", R"({"upstream": 5})")), 400);
  EXPECT_EQ(status(get("/api/captured/kept/1a/source?x=1")), 400);
  for (const char* path :
       {"/api/captured/", "/api/captured/kept", "/api/captured//1a", "/api/captured/kept/1a/part/",
        "/api/captured/kept/1a/part/-1", "/captured/", "/captured/a/b", "/captured/%2e"})
    EXPECT_EQ(status(get(path)), 404) << path;
}

TEST(Api, NothingElseIsThere) {
  for (const char* path : {"/../x", "//", "/%2e%2e/", "/api/..%2f", "/metrics/", "/api", "/api/",
                           "/api/queue/", "/api/queue/a/b", "/api/queue//message", "/api/queue/a%00",
                           "/api/queue/..", "*", "/livez/", "/API/queue", "/api/status.json"})
    EXPECT_EQ(status(get(path)), 404) << path;
}

TEST(Api, ReadsTheQuery) {
  const Request request =
      asked(get("/api/queue?sender=%40a.example&recipient=b+c%zz&state=held&limit=7&=&after=q")).request;
  EXPECT_EQ(request.sender, "@a.example");
  EXPECT_EQ(request.recipient, "b c%zz");
  EXPECT_EQ(request.state, "held");
  EXPECT_EQ(request.limit, 7u);
  EXPECT_FALSE(request.details);
  EXPECT_TRUE(asked(get("/api/queue?details=true")).request.details);
  EXPECT_EQ(request.after, "q");
  const LaneFilter lanes = asked(get("/api/lanes?upstream=a&account=b&trouble=true&limit=5")).lanes;
  EXPECT_EQ(lanes.upstream + lanes.account, "ab");
  EXPECT_TRUE(lanes.trouble);
  EXPECT_EQ(lanes.limit, 5u);
  const HistoryQuestion history = asked(get("/api/history?query=x&since=2h&failed=true")).history;
  EXPECT_EQ(history.what + history.since, "x2h");
  EXPECT_TRUE(history.failed);
  EXPECT_EQ(history.limit, 100u);
  EXPECT_EQ(asked(get("/api/history?limit=999999")).history.limit, 1000u);
  EXPECT_EQ(asked(get("/api/history?limit=0")).history.limit, 1u);
}

// A filter that is misspelt would let everything through.
TEST(Api, AnUnknownMemberIsRefused) {
  EXPECT_EQ(status(post("/api/queue/delete", R"({"upstream":"a","stat":"failed"})")), 400);
  EXPECT_EQ(status(get("/api/queue?stat=failed")), 400);
  EXPECT_EQ(status(get("/api/history?failed=true&limt=1")), 400);
  EXPECT_EQ(status(get("/api/explain?recipients=a")), 400);
  EXPECT_EQ(status(get("/livez?verbose&x=y")), 200);
}

TEST(Api, ALimitThatIsNoNumberIsRefused) {
  for (const char* limit : {"", "abc", "-1", "1.5", "9999999999"})
    for (const std::string path : {"/livez", "/api/lanes", "/api/history", "/api/queue"})
      EXPECT_EQ(status(get(path + "?limit=" + limit)), 400) << path << limit;
}

TEST(Api, DeepJsonIsOnlyWrong) {
  const std::string deep = "{\"a\":" + std::string(30'000, '[') + std::string(30'000, ']') + "}";
  EXPECT_EQ(status(post("/api/queue/hold", deep)), 400);
}

TEST(Api, ChangesAreOfTheDesk) {
  const Request request = asked(post("/api/queue/retry", R"({"ids":["a"],"not_taken":true})")).request;
  EXPECT_EQ(request.command, "retry");
  EXPECT_THAT(request.ids, testing::ElementsAre("a"));
  EXPECT_TRUE(request.not_taken);
  EXPECT_EQ(asked(post("/api/lanes/pause", R"({"upstream":"a"})")).request.command, "pause");
  EXPECT_EQ(asked(post("/api/suppress/add", R"({"recipient":"a@b.example"})")).request.command,
            "suppress_add");
}

TEST(Api, AChangeThatSaysNotWhatIsRefused) {
  for (const char* body : {"", "x", "[]", "1", "{}", R"({"ids":"a"})", R"({"ids":[1]})", R"({"all":"yes"})"})
    EXPECT_EQ(status(post("/api/queue/delete", body)), 400) << body;
}

TEST(Api, ChangesNeedTheToken) {
  const http::ReceivedRequest change = post("/api/queue/hold", R"({"all":true})");
  EXPECT_EQ(status(change), 200);
  for (const char* said : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Bearer 0123456789abcdef0",
                           "Basic 0123456789abcdef", "0123456789abcdef"})
    EXPECT_EQ(status(with(change, "authorization", said)), 401) << said;
  EXPECT_EQ(status(with(change, "authorization", "bearer 0123456789abcdef")), 200);
  http::ReceivedRequest twice = change;
  twice.headers.push_back(twice.headers.front());
  EXPECT_EQ(status(twice), 401);
  Entrance closed = entrance();
  closed.token = {};
  EXPECT_EQ(status(change, closed), 403);
  EXPECT_EQ(status(with(change, "authorization", "Bearer "), closed), 403);
  EXPECT_EQ(status(get("/api/queue"), closed), 200);
}

TEST(Api, ChangesOfAnotherSitesPageAreRefused) {
  const http::ReceivedRequest change = post("/api/queue/hold", R"({"all":true})");
  EXPECT_EQ(status(with(change, "sec-fetch-site", "same-origin")), 200);
  EXPECT_EQ(status(with(change, "sec-fetch-site", "none")), 200);
  EXPECT_EQ(status(with(change, "sec-fetch-site", "cross-site")), 403);
  EXPECT_EQ(status(with(change, "sec-fetch-site", "same-site")), 403);
  EXPECT_EQ(status(with(change, "origin", "http://localhost")), 200);
  EXPECT_EQ(status(with(change, "origin", "http://evil.example")), 403);
  EXPECT_EQ(status(with(change, "origin", "http://evil-localhost")), 403);
  EXPECT_EQ(status(with(change, "origin", "null")), 403);
  EXPECT_EQ(status(with(change, "content-type", "text/plain")), 415);
  EXPECT_EQ(status(with(change, "content-type", "")), 415);
  EXPECT_EQ(status(with(change, "content-type", "Application/JSON; charset=utf-8")), 200);
}

// Whom other machines can reach tells strangers nothing of mail.
TEST(Api, OtherMachinesNeedTheTokenToRead) {
  Entrance remote = entrance();
  remote.is_local = false;
  for (const char* path : {"/", "/livez", "/readyz", "/metrics"})
    EXPECT_EQ(status(get(path), remote), 200) << path;
  for (const char* path :
       {"/status.json", "/api/status", "/api/queue", "/api/queue/a", "/api/queue/a/message", "/api/lanes",
        "/api/history", "/api/events", "/api/suppress"}) {
    EXPECT_EQ(status(get(path), remote), 401) << path;
    EXPECT_EQ(status(with(get(path), "authorization", "Bearer 0123456789abcdef"), remote), 200) << path;
    Entrance closed = remote;
    closed.token = {};
    EXPECT_EQ(status(with(get(path), "authorization", "Bearer "), closed), 401) << path;
  }
}

TEST(Api, OnlyKnownNamesAreAnswered) {
  for (const char* host : {"localhost", "localhost:9125", "localhost.", "127.0.0.1", "192.0.2.1:80", "[::1]",
                           "[2001:db8::1]:9125", "relay.internal", "relay.internal.:1"})
    EXPECT_EQ(status(get("/", host)), 200) << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "1.2.3.4.evil.example",
                           "relay.internal.x", "xlocalhost", "a", "10.0.0.1x", ".", ""})
    EXPECT_EQ(status(get("/", host)), 421) << host;
  EXPECT_EQ(status(get("/livez", "evil.example")), 200);
  EXPECT_EQ(status(get("/readyz", "evil.example")), 200);
  Entrance socket = entrance();
  socket.judges_host = false;
  EXPECT_EQ(status(get("/", "evil.example"), socket), 200);
}

TEST(Api, OtherMethodsAreRefused) {
  http::ReceivedRequest request = get("/api/queue");
  http::ReceivedRequest anywhere = get("*");
  anywhere.method = "OPTIONS";
  EXPECT_EQ(status(anywhere), 405);
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"}) {
    request.method = method;
    EXPECT_EQ(status(request), 405) << method;
  }
  request.method = "BREW";
  EXPECT_EQ(status(request), 501);
  request.method = "HEAD";
  EXPECT_EQ(status(request), 200);
  const Judged judged = judge(get("/api/queue/hold"), entrance());
  EXPECT_EQ(std::get<http::Answer>(judged).status, 405);
  EXPECT_EQ(std::get<http::Answer>(judged).headers.back(), (http::Header{"Allow", "POST"}));
}

}  // namespace
}  // namespace relayd::watch
