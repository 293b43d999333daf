#include "shared/http/request.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::http {
namespace {

constexpr std::string_view of_the_client[] = {"host", "content-length", "transfer-encoding", "connection"};

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) ||
           (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
  });
}

bool is_field_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return ascii::is_control(c) && c != '\t'; });
}

Result<std::string> write_request(const Request& request, const Url& url) {
  if (!is_token(request.method)) return Error{"the method of a request is no word"};
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, url.target, url.authority);
  for (const Header& header : request.headers) {
    if (!is_token(header.name)) return Error{"the name of a header is no word"};
    if (!is_field_value(header.value))
      return Error{fmt::format("the value of the header {} has a control character", header.name)};
    if (std::find(std::begin(of_the_client), std::end(of_the_client), ascii::lower(header.name)) !=
        std::end(of_the_client))
      return Error{fmt::format("the header {} is the client's to say", header.name)};
    out += fmt::format("{}: {}\r\n", header.name, header.value);
  }
  const bool has_body = !request.body.empty() || (request.method != "GET" && request.method != "HEAD");
  if (has_body) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  return out + "\r\n" + request.body;
}

std::string write_connect(std::string_view target, std::string_view authorization) {
  std::string out = fmt::format("CONNECT {0} HTTP/1.1\r\nHost: {0}\r\n", target);
  if (!authorization.empty()) out += fmt::format("Proxy-Authorization: {}\r\n", authorization);
  return out + "\r\n";
}

}  // namespace relayd::http
