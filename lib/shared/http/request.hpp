// write_request(): a request of HTTP/1.1 as it goes over the wire (RFC 9112 3).
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/http/message.hpp"
#include "shared/http/url.hpp"

namespace relayd::http {

// The whole of it, with Host and Content-Length. Refuses a method or a header name that is no token, a value
// with a control character (nobody adds a line), and the headers that are the client's to say.
Result<std::string> write_request(const Request& request, const Url& url);

// What asks a proxy for a tunnel to "HOST:PORT" (RFC 9110 9.3.6); `authorization` is the value of
// Proxy-Authorization (RFC 9110 11.7.2), or empty.
std::string write_connect(std::string_view target, std::string_view authorization = {});

// A word as methods and names of headers are (RFC 9110 5.6.2).
bool is_token(std::string_view text);
// What may stand in a header's value: no control character but the tab (RFC 9110 5.5).
bool is_field_value(std::string_view text);

}  // namespace relayd::http
