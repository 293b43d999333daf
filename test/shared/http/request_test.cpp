#include "shared/http/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::http {
namespace {

using testing::HasSubstr;

const Url url = *parse_url("https://hooks.example:8443/a?b=c");

TEST(Request, IsWrittenWithHostAndLength) {
  const Request request{
      "POST", {{"Content-Type", "application/json"}, {"webhook-id", "msg_1"}}, "{\"a\":1}\r\n"};
  EXPECT_EQ(*write_request(request, url),
            "POST /a?b=c HTTP/1.1\r\n"
            "Host: hooks.example:8443\r\n"
            "Content-Type: application/json\r\n"
            "webhook-id: msg_1\r\n"
            "Content-Length: 9\r\n"
            "\r\n"
            "{\"a\":1}\r\n");
  EXPECT_THAT(*write_request({"POST", {}, ""}, url), HasSubstr("Content-Length: 0\r\n"));
  EXPECT_EQ(*write_request({"GET", {}, ""}, url), "GET /a?b=c HTTP/1.1\r\nHost: hooks.example:8443\r\n\r\n");
}

TEST(Request, TakesNoHeaderThatWouldBeTwo) {
  using namespace std::string_literals;
  for (const std::string& value : {"a\r\nX: y"s, "a\nb"s, "a\rb"s, "a\0b"s, "\x7f"s})
    EXPECT_FALSE(write_request({"POST", {{"X", value}}, ""}, url));
  for (const std::string& name : {""s, "a b"s, "a:"s, "a\r\nb"s, "a\0"s, "\xc3\xbc"s})
    EXPECT_FALSE(write_request({"POST", {{name, "value"}}, ""}, url));
  for (const std::string& method : {""s, "POST /x HTTP/1.1\r\n"s, "PO ST"s})
    EXPECT_FALSE(write_request({method, {}, ""}, url));
  const Result<std::string> refused = write_request({"POST", {{"X-Secret", "hidden\n"}}, ""}, url);
  EXPECT_EQ(refused.error(), "the value of the header X-Secret has a control character");
}

TEST(Request, LeavesFramingToTheClient) {
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "CONNECTION"})
    EXPECT_THAT(write_request({"POST", {{name, "1"}}, ""}, url).error(), HasSubstr("the client's to say"))
        << name;
}

TEST(Request, AsksAProxyForTheEndpoint) {
  EXPECT_EQ(write_connect(endpoint(*parse_url("https://[::1]/a?secret"))),
            "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n\r\n");
}

}  // namespace
}  // namespace relayd::http
