#include "shared/http/request_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::http {
namespace {

using State = RequestParser::State;
using namespace std::string_literals;

struct Read {
  State state;
  int status;
  ReceivedRequest request;
  std::size_t rest;  // octets that were not taken
};

constexpr std::size_t most_body = 10;

// In pieces of that size.
Read read(std::string_view bytes, std::size_t piece = 1) {
  RequestParser parser(most_body);
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    const std::size_t taken = parser.feed(part);
    bytes.remove_prefix(taken);
    if (taken < part.size()) break;
  }
  return {parser.state(), parser.status(), parser.take(), bytes.size()};
}

const std::string host = "Host: localhost\r\n";

TEST(RequestParser, GivesMethodTargetHeadersAndBody) {
  const ReceivedRequest expected{"POST",
                                 "/api/x?y=%20",
                                 "localhost:9125",
                                 {{"host", "LocalHost:9125"}, {"content-length", "5"}, {"x", "a b"}},
                                 "hello",
                                 false,
                                 true};
  for (const std::size_t piece : {1, 3, 1000}) {
    const Read got = read(
        "\r\nPOST /api/x?y=%20 HTTP/1.1\r\nHost: LocalHost:9125\r\nContent-Length: 5\r\nX: \t a b "
        "\r\n\r\nhelloGET",
        piece);
    EXPECT_EQ(got.state, State::complete);
    EXPECT_TRUE(got.request == expected);
    EXPECT_EQ(got.rest, 3u);
  }
}

TEST(RequestParser, DividesTheTargetAtItsFirstQuestionMark) {
  const Read got = read("GET /a/b?c?d HTTP/1.1\r\n" + host + "\r\n");
  EXPECT_EQ(got.request.path(), "/a/b");
  EXPECT_EQ(got.request.query(), "c?d");
  EXPECT_EQ(read("GET /a HTTP/1.1\r\n" + host + "\r\n").request.query(), "");
}

// RFC 9112 3.2.2: the target counts, and the Host field does not.
TEST(RequestParser, TakesTheAuthorityOfAnAbsoluteTarget) {
  const Read got = read("GET HTTP://Evil.example:80/x HTTP/1.1\r\n" + host + "\r\n");
  EXPECT_EQ(got.request.authority, "evil.example:80");
  EXPECT_EQ(got.request.target, "/x");
  EXPECT_EQ(read("GET http://a?b HTTP/1.1\r\n" + host + "\r\n").request.target, "/?b");
  EXPECT_EQ(read("GET http://a HTTP/1.1\r\n" + host + "\r\n").request.target, "/");
}

TEST(RequestParser, KnowsWhetherTheConnectionGoesOn) {
  const auto goes_on = [](const std::string& version, const std::string& fields) {
    return read("GET / " + version + "\r\n" + host + fields + "\r\n").request.keeps_alive;
  };
  EXPECT_TRUE(goes_on("HTTP/1.1", ""));
  EXPECT_FALSE(goes_on("HTTP/1.1", "Connection: x, Close\r\n"));
  EXPECT_FALSE(goes_on("HTTP/1.0", ""));
  EXPECT_FALSE(goes_on("HTTP/1.0", "Connection: keep-alive\r\n"));
}

TEST(RequestParser, Http10NeedsNoHost) {
  const Read got = read("GET /livez HTTP/1.0\r\n\r\n");
  EXPECT_EQ(got.state, State::complete);
  EXPECT_TRUE(got.request.is_http_1_0);
  EXPECT_EQ(got.request.authority, "");
}

TEST(RequestParser, SaysThatTheClientWaitsForContinue) {
  RequestParser parser(most_body);
  parser.feed("POST / HTTP/1.1\r\n" + host + "Content-Length: 2\r\nExpect: 100-Continue\r\n");
  EXPECT_FALSE(parser.awaits_continue());
  parser.feed("\r\n");
  EXPECT_TRUE(parser.awaits_continue());
  parser.feed("a");
  EXPECT_FALSE(parser.awaits_continue());
}

TEST(RequestParser, RefusesWhatHasNoOneMeaning) {
  const std::string get = "GET / HTTP/1.1\r\n", post = "POST / HTTP/1.1\r\n" + host;
  const struct {
    std::string bytes;
    int status;
  } cases[] = {
      {get + "\r\n", 400},
      {get + host + host + "\r\n", 400},
      {get + "Host: a b\r\n\r\n", 400},
      {get + "Host:\r\n\r\n", 400},
      {get + "Host: a@b\r\n\r\n", 400},
      {get + "Host: a:\r\n\r\n", 400},
      {get + "Host: a:0\r\n\r\n", 400},
      {get + "Host: a:65536\r\n\r\n", 400},
      {get + "Host: [::1\r\n\r\n", 400},
      {get + "Host: [::1]x\r\n\r\n", 400},
      {"GET http://a@b/ HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET http:// HTTP/1.1\r\n" + host + "\r\n", 400},
      {get + "Host : a\r\n\r\n", 400},
      {get + " Host: a\r\n\r\n", 400},
      {get + host + " folded\r\n\r\n", 400},
      {get + host + "no field\r\n\r\n", 400},
      {get + host + "X: a\rb\r\n\r\n", 400},
      {get + host + "X: a\n\r\n", 400},
      {get + host + "X: a\0b\r\n\r\n"s, 400},
      {"GET / HTTP/1.1\n" + host + "\r\n", 400},
      {"GET  / HTTP/1.1\r\n", 400},
      {"GET / x HTTP/1.1\r\n", 400},
      {"GET x HTTP/1.1\r\n", 400},
      {"GET /# HTTP/1.1\r\n", 400},
      {"GET /\xc3\xa9 HTTP/1.1\r\n", 400},
      {"GET(x) / HTTP/1.1\r\n", 400},
      {"GET /\r\n", 400},
      {"EHLO x\r\n", 400},
      {"\x16\x03\x01\x02"s, 400},
      {"GET / HTTP/2.0\r\n", 505},
      {"PRI * HTTP/2.0\r\n", 505},
      {"GET / http/1.1\r\n", 400},
      {"GET / HTTP/1.10\r\n", 400},
      {post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
      {post + "Content-Length: +1\r\n\r\n", 400},
      {post + "Content-Length: -1\r\n\r\n", 400},
      {post + "Content-Length: 1,1\r\n\r\n", 400},
      {post + "Content-Length:\r\n\r\n", 400},
      {post + "Content-Length: 0x1\r\n\r\n", 400},
      {post + "Content-Length: 18446744073709551616\r\n\r\n", 400},
      {post + "Content-Length: 11\r\n\r\n", 413},
      {post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {post + "Transfer-Encoding: chunked\r\n\r\n", 411},
      {get + host + "Transfer-Encoding: chunked\r\n\r\n", 411},
      {post + "\r\n", 411},
      {post + "Content-Length: 1\r\nExpect: x\r\n\r\n", 417},
  };
  for (const auto& [bytes, status] : cases)
    for (const std::size_t piece : {1, 1000}) {
      const Read got = read(bytes, piece);
      EXPECT_EQ(got.state, State::malformed) << bytes;
      EXPECT_EQ(got.status, status) << bytes;
    }
}

TEST(RequestParser, BoundsTargetHeaderAndFields) {
  const auto status = [](const std::string& target, const std::string& fields) {
    return read("GET /" + target + " HTTP/1.1\r\n" + host + fields, 1000).status;
  };
  const auto times = [](std::size_t count, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::size_t line = std::string("GET / HTTP/1.1\r\n").size();
  EXPECT_EQ(status(std::string(RequestParser::most_target - line, 'a'), "\r\n"), 0);
  EXPECT_EQ(status(std::string(RequestParser::most_target - line + 1, 'a'), "\r\n"), 414);
  EXPECT_EQ(read(std::string(RequestParser::most_target + 1, 'a'), 1000).status, 414);
  EXPECT_EQ(status("", times(RequestParser::most_fields - 1, "X: a\r\n") + "\r\n"), 0);
  EXPECT_EQ(status("", times(RequestParser::most_fields, "X: a\r\n") + "\r\n"), 431);
  EXPECT_EQ(status("", "X: " + std::string(RequestParser::most_head, 'a')), 431);
}

TEST(RequestParser, FindsTheOneHeaderOfAName) {
  const ReceivedRequest request{"GET", "/", "a", {{"x", "1"}, {"y", "2"}, {"y", "3"}}, "", false, true};
  ASSERT_TRUE(request.header("x"));
  EXPECT_EQ(*request.header("x"), "1");
  EXPECT_FALSE(request.header("y"));
  EXPECT_FALSE(request.header("z"));
}

}  // namespace
}  // namespace relayd::http
