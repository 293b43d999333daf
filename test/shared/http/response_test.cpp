#include "shared/http/response.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::http {
namespace {

using State = ResponseParser::State;
using namespace std::string_literals;

struct Read {
  State state;
  Response response;
  bool reusable;
  std::string fault;
  std::size_t rest;  // octets that were not taken
};

// In pieces of that size.
Read read(std::string_view bytes, std::string_view method = "POST", std::size_t most = 100, bool ends = false,
          std::size_t piece = 1) {
  ResponseParser parser(method, most);
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    const std::size_t taken = parser.feed(part);
    bytes.remove_prefix(taken);
    if (taken < part.size()) break;
  }
  if (ends) parser.end();
  return {parser.state(), parser.take(), parser.reusable(), parser.fault(), bytes.size()};
}

const std::string head = "HTTP/1.1 200 OK\r\n";

TEST(Response, HasStatusHeadersAndBody) {
  const Response expected{201, {{"content-type", "text/plain"}, {"content-length", "5"}, {"x", ""}}, "hello"};
  for (const std::size_t piece : {1, 2, 7, 1000}) {
    const Read got = read(
        "HTTP/1.1 201 Made it\r\nContent-Type: \t text/plain \r\nContent-Length: 5\r\nX:\r\n\r\nhelloHTTP",
        "POST", 100, false, piece);
    EXPECT_EQ(got.state, State::complete);
    EXPECT_TRUE(got.response == expected);
    EXPECT_TRUE(got.reusable);
    EXPECT_EQ(got.rest, 4u);
  }
}

TEST(Response, EndsWhereItsFramingSays) {
  const struct {
    std::string bytes;
    const char* method;
    const char* body;
    bool reusable;
    std::size_t rest;
  } cases[] = {
      {head + "Content-Length: 0\r\n\r\nx", "POST", "", true, 1},
      {head + "Content-Length: 2\r\nContent-Length: 2\r\n\r\nabx", "POST", "ab", true, 1},
      {head + "Content-Length: 2, 2\r\n\r\nabx", "POST", "ab", true, 1},
      {head + "Transfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n0a;x=\"y\"\r\n0123456789\r\n0\r\n\r\nx", "POST",
       "ab0123456789", true, 1},
      {head + "Transfer-Encoding: chunked\r\n\r\n1 ; a\r\nb\r\n0;z\r\nTrailer: t\r\n\r\nx", "POST", "b", true,
       1},
      {head + "Content-Length: 2\r\nConnection: x, Close\r\n\r\nabx", "POST", "ab", false, 1},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabx", "POST", "ab", false, 1},
      {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab", "POST", "ab", true, 0},
      {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: close, keep-alive\r\n\r\n", "POST", "", false, 0},
      {"HTTP/1.1 204\r\n\r\nx", "POST", "", true, 1},
      {"HTTP/1.1 204 \r\nContent-Length: 1\r\n\r\nx", "POST", "", false, 1},
      {"HTTP/1.1 204 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST", "", false, 5},
      {"HTTP/1.1 304 \r\nContent-Length: 9\r\n\r\nx", "POST", "", false, 1},
      {head + "Content-Length: 9\r\n\r\nx", "HEAD", "", true, 1},
      {head + "Content-Length: 9\r\n\r\nx", "CONNECT", "", true, 1},
      {"HTTP/1.1 403 No\r\nContent-Length: 1\r\n\r\nxy", "CONNECT", "x", true, 1},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\n" + head +
           "Content-Length: 1\r\n\r\nab",
       "POST", "a", true, 1},
  };
  for (const auto& [bytes, method, body, reusable, rest] : cases) {
    const Read got = read(bytes, method);
    EXPECT_EQ(got.state, State::complete) << bytes << got.fault;
    EXPECT_EQ(got.response.body, body) << bytes;
    EXPECT_EQ(got.reusable, reusable) << bytes;
    EXPECT_EQ(got.rest, rest) << bytes;
  }
}

TEST(Response, WithoutALengthEndsWithTheStream) {
  EXPECT_EQ(read(head + "\r\nall of it").state, State::incomplete);
  const Read got = read(head + "\r\nall of it", "POST", 100, true);
  EXPECT_EQ(got.state, State::complete);
  EXPECT_EQ(got.response.body, "all of it");
  EXPECT_FALSE(got.reusable);
}

TEST(Response, CutShortIsNoResponse) {
  const std::string whole = head + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(read(whole.substr(0, size)).state, State::incomplete) << size;
    EXPECT_EQ(read(whole.substr(0, size), "POST", 100, true).state, State::malformed) << size;
  }
  EXPECT_EQ(read(head + "Content-Length: 3\r\n\r\nab", "POST", 100, true).state, State::malformed);
}

TEST(Response, ThatCouldBeReadInTwoWaysIsRefused) {
  using namespace std::string_literals;
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string cases[] = {
      "HTTP/2 200\r\n\r\n"s,
      "HTTP/1.1  200 OK\r\n\r\n"s,
      "HTTP/1.1 20 OK\r\n\r\n"s,
      "HTTP/1.1 2000 OK\r\n\r\n"s,
      "HTTP/1.1 099 OK\r\n\r\n"s,
      "HTTP/1.1 600 OK\r\n\r\n"s,
      "HTTP/1.1 +20 OK\r\n\r\n"s,
      "http/1.1 200 OK\r\n\r\n"s,
      "\r\nHTTP/1.1 200 OK\r\n\r\n"s,
      "220 mail.example ESMTP\r\n"s,
      "HTTP/1.1 200 O\0K\r\n\r\n"s,
      "HTTP/1.1 200 OK\n\n"s,
      head + "A: b\nC: d\r\n\r\n",
      head + "A: b\rC: d\r\n\r\n",
      head + "A: b\r\r\n\r\n",
      head + "A: b\0c\r\n\r\n"s,
      head + "A: b\x01\r\n\r\n",
      head + "A: b\r\n folded\r\n\r\n",
      head + " A: b\r\n\r\n",
      head + "A : b\r\n\r\n",
      head + ": b\r\n\r\n",
      head + "no field\r\n\r\n",
      head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\na",
      head + "Content-Length: 1, 2\r\n\r\na",
      head + "Content-Length: 1,\r\n\r\na",
      head + "Content-Length:\r\n\r\n",
      head + "Content-Length: -1\r\n\r\n",
      head + "Content-Length: +1\r\n\r\na",
      head + "Content-Length: 0x1\r\n\r\na",
      head + "Content-Length: 1 1\r\n\r\na",
      head + "Content-Length: 18446744073709551616\r\n\r\na",
      head + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
      head + "Transfer-Encoding: gzip, chunked\r\n\r\n",
      head + "Transfer-Encoding: chunked, chunked\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
      head + "Transfer-Encoding: identity\r\n\r\n",
      head +
          "Transfer-Encoding:\x0b"
          "chunked\r\n\r\n",
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
      "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n",
      chunked + "\r\n",
      chunked + "g\r\n",
      chunked + "0x1\r\n",
      chunked + "-1\r\n",
      chunked + "+1\r\n",
      chunked + " 1\r\n",
      chunked + "1 \r\n",
      chunked + "1\n",
      chunked + "1 x\r\n",
      chunked + "1;\x01\r\n",
      chunked + "10000000000000000\r\n",
      chunked + "00000000000000001\r\n",
      chunked + "1\r\nab\r\n",
      chunked + "1\r\na\n",
      chunked + "0\r\nno field\r\n",
      chunked + "0\r\n folded: x\r\n",
  };
  for (const std::string& bytes : cases) {
    for (const std::size_t piece : {1, 1000}) {
      const Read got = read(bytes, "POST", 100, false, piece);
      EXPECT_EQ(got.state, State::malformed) << bytes;
      EXPECT_FALSE(got.reusable) << bytes;
      EXPECT_THAT(got.fault, testing::MatchesRegex("[a-zA-Z0-9 ,./'-]+")) << bytes;
    }
  }
}

TEST(Response, KeepsTheBeginningOfALongBody) {
  const std::string body(100 + ResponseParser::most_dropped, 'b');
  const Read whole = read(head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body, "POST",
                          100, false, 1000);
  EXPECT_EQ(whole.state, State::complete);
  EXPECT_EQ(whole.response.body, body.substr(0, 100));
  EXPECT_TRUE(whole.reusable);
  for (const std::size_t piece : {1, 1000, 1'000'000}) {
    for (const std::string& framing : {"Content-Length: 9999999999\r\n\r\n"s, "\r\n"s,
                                       "Transfer-Encoding: chunked\r\n\r\nffffffff\r\n"s}) {
      const Read over = read(head + framing + body + "bb", "POST", 100, false, piece);
      EXPECT_EQ(over.state, State::complete);
      EXPECT_EQ(over.response.body, body.substr(0, 100));
      EXPECT_FALSE(over.reusable);
    }
  }
}

TEST(Response, ThatNeverEndsIsGivenUp) {
  const std::string million(1 << 20, 'a');
  std::string fields = head;
  for (int i = 0; i < 300; ++i) fields += "a: b\r\n";
  std::string lines = head;
  for (int i = 0; i < 40; ++i) lines += "a: " + std::string(1000, 'b') + "\r\n";
  std::string interim;
  for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
  std::string extensions = chunked;
  for (int i = 0; i < 10; ++i) extensions += "1;" + million.substr(0, 1000) + "\r\na\r\n";
  std::string trailers = chunked + "0\r\n";
  for (int i = 0; i < 10; ++i) trailers += "a: " + million.substr(0, 1000) + "\r\n";
  for (const std::string& bytes : {million, head + "A: " + million, fields, lines, interim, chunked + million,
                                   chunked + "1;" + million, extensions, trailers})
    for (const std::size_t piece : {1, 1000, 1 << 21})
      EXPECT_EQ(read(bytes, "POST", 100, false, piece).state, State::malformed) << bytes.substr(0, 200);
}

TEST(Response, OfManySmallChunksIsWhole) {
  std::string bytes = head + "Transfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 20'000; ++i) bytes += "1\r\na\r\n";
  const Read got = read(bytes + "0\r\n\r\n", "POST", 100, false, 1000);
  EXPECT_EQ(got.state, State::complete) << got.fault;
  EXPECT_TRUE(got.reusable);
}

TEST(Response, KnowsWhetherAnythingCame) {
  ResponseParser parser("POST", 100);
  EXPECT_FALSE(parser.begun());
  parser.feed("H");
  EXPECT_TRUE(parser.begun());
}

}  // namespace
}  // namespace relayd::http
