// A request and a response of HTTP, as values (RFC 9110).
#pragma once

#include <string>
#include <vector>

namespace relayd::http {

struct Header {
  std::string name;
  std::string value;
  bool operator==(const Header&) const = default;
};

// To the target of the client's URL. Host, Content-Length, Transfer-Encoding and Connection are the client's
// to say.
struct Request {
  std::string method = "POST";
  std::vector<Header> headers;
  std::string body;
};

struct Response {
  int status = 0;
  std::vector<Header> headers;  // names in lower case
  std::string body;             // the first octets of it, as many as the client was told to keep
  bool operator==(const Response&) const = default;
};

}  // namespace relayd::http
