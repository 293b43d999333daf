#include "shared/http/request_parser.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/http/request.hpp"
#include "shared/http/text.hpp"

namespace relayd::http {

namespace {

// "name", "192.0.2.1" or "[2001:db8::1]", and perhaps a port (RFC 3986 3.2.2); no user.
bool is_authority(std::string_view text) {
  const bool is_literal = text.starts_with('[');
  const std::size_t end = is_literal ? text.find(']') : std::min(text.find(':'), text.size());
  if (end == std::string_view::npos || end == 0) return false;
  const std::string_view host = text.substr(is_literal, end - is_literal);
  const std::string_view rest = text.substr(end + is_literal);
  const auto fits = [is_literal](char c) {
    if (is_literal) return ascii::hex_value(c) >= 0 || c == ':' || c == '.';
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '.' || c == '-' || c == '_';
  };
  std::uint64_t port = 0;
  return !host.empty() && std::ranges::all_of(host, fits) &&
         (rest.empty() ||
          (rest.starts_with(':') && read_number(rest.substr(1), 10, port) && port > 0 && port < 65536));
}

// In the first line, with its end.
bool may_begin(char c) {
  return !ascii::is_control(c) || c == '\r' || c == '\n';
}

}  // namespace

const std::string* ReceivedRequest::header(std::string_view name) const {
  const std::string* found = nullptr;
  for (const Header& header : headers) {
    if (header.name != name) continue;
    if (found) return nullptr;
    found = &header.value;
  }
  return found;
}

std::string_view ReceivedRequest::path() const {
  return std::string_view(target).substr(0, target.find('?'));
}

std::string_view ReceivedRequest::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

RequestParser::State RequestParser::state() const {
  if (phase_ == Phase::complete) return State::complete;
  return phase_ == Phase::malformed ? State::malformed : State::incomplete;
}

void RequestParser::refuse(int status, std::string fault) {
  if (phase_ == Phase::malformed) return;
  phase_ = Phase::malformed;
  status_ = status;
  fault_ = std::move(fault);
}

std::size_t RequestParser::feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  const std::size_t size = bytes.size();
  while (!bytes.empty() && state() == State::incomplete) {
    if (phase_ != Phase::body) {
      bytes.remove_prefix(take_line(bytes));
      continue;
    }
    const std::size_t count = std::min<std::uint64_t>(bytes.size(), left_);
    request_.body.append(bytes, 0, count);
    left_ -= count;
    bytes.remove_prefix(count);
    if (left_ == 0) phase_ = Phase::complete;
  }
  return size - bytes.size();
}

std::size_t RequestParser::take_line(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t count = std::min(newline, bytes.size() - 1) + 1;
  const bool is_first = phase_ == Phase::line;
  if (is_first) {
    const std::string_view fitting = bytes.substr(0, std::min(count, most_target - line_.size()));
    // Whoever speaks another protocol here, such as TLS, may never end a line.
    if (!std::ranges::all_of(fitting, may_begin)) refuse(400, "it does not begin as HTTP/1.1 does");
    if (count > fitting.size()) refuse(414, "its target is too long");
    if (phase_ == Phase::malformed) return count;
  }
  if (count > room_) {
    refuse(431, "its header is too long");
    return count;
  }
  room_ -= count;
  line_.append(bytes, 0, count);
  if (newline == std::string_view::npos) return count;
  const std::string line = std::exchange(line_, {});
  const std::string_view text(line.data(), line.size() - 1);
  if (text.empty() || text.find('\r') != text.size() - 1) {
    refuse(400, "a line of it does not end with CR LF");
    return count;
  }
  const std::string_view content = text.substr(0, text.size() - 1);
  if (is_first) {
    // An empty line before a request is left out (RFC 9112 2.2).
    if (!content.empty()) on_request_line(content);
  } else if (content.empty()) {
    end_of_header();
  } else {
    on_field(content);
  }
  return count;
}

// RFC 9112 3.
void RequestParser::on_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t second = line.find(' ', std::min(first, line.size() - 1) + 1);
  if (second == std::string_view::npos || line.find(' ', second + 1) != std::string_view::npos)
    return refuse(400, "its first line is not METHOD TARGET VERSION");
  const std::string_view version = line.substr(second + 1);
  if (version.size() != 8 || !version.starts_with("HTTP/") || !ascii::is_digit(version[5]) ||
      version[6] != '.' || !ascii::is_digit(version[7]))
    return refuse(400, "its first line names no version of HTTP");
  if (version[5] != '1') return refuse(505, "HTTP/1.1 is spoken here");
  request_.is_http_1_0 = version[7] == '0';
  request_.method = line.substr(0, first);
  if (!is_token(request_.method)) return refuse(400, "its method is no word");
  on_target(line.substr(first + 1, second - first - 1));
  if (phase_ == Phase::line) phase_ = Phase::header;
}

// Origin form, absolute form, or the asterisk (RFC 9112 3.2).
void RequestParser::on_target(std::string_view target) {
  const auto is_visible = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (!std::ranges::all_of(target, is_visible))
    return refuse(400, "its target has a character no target has");
  constexpr std::string_view scheme = "http://";
  absolute_ = ascii::equal_ignoring_case(target.substr(0, scheme.size()), scheme);
  if (absolute_) {
    target.remove_prefix(scheme.size());
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    request_.authority = ascii::lower(target.substr(0, end));
    if (!is_authority(request_.authority)) return refuse(400, "its target names no host");
    target.remove_prefix(end);
    request_.target = target.starts_with('/') ? "" : "/";
  } else if (!target.starts_with('/') && target != "*") {
    return refuse(400, "its target is no path");
  }
  request_.target += target;
}

void RequestParser::on_field(std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  if (colon == line.size() || !is_token(name)) return refuse(400, "a line of its header is no field");
  const std::string_view value = ascii::trimmed(line.substr(colon + 1), ascii::blanks);
  if (!is_field_value(value)) return refuse(400, "a field of its header has a control character");
  if (request_.headers.size() == most_fields) return refuse(431, "its header has too many fields");
  on_framing(request_.headers.emplace_back(Header{ascii::lower(name), std::string(value)}));
}

// What a field says of whom the request is for, where its body ends, and of the connection.
void RequestParser::on_framing(const Header& header) {
  if (header.name == "host") {
    if (has_host_) return refuse(400, "it has two Host fields");
    has_host_ = true;
    if (!is_authority(header.value)) return refuse(400, "its Host is none");
    if (!absolute_) request_.authority = ascii::lower(header.value);
  } else if (header.name == "content-length") {
    if (has_length_ || !std::ranges::all_of(header.value, ascii::is_digit) ||
        !read_number(header.value, 10, left_))
      return refuse(400, "its length has no one meaning");
    has_length_ = true;
  } else if (header.name == "transfer-encoding") {
    is_coded_ = true;
  } else if (header.name == "expect") {
    if (!ascii::equal_ignoring_case(header.value, "100-continue"))
      return refuse(417, "it expects what is not done here");
    expects_ = !request_.is_http_1_0;
  } else if (header.name == "connection") {
    for_each_element(header.value, [this](std::string_view option) {
      close_said_ = close_said_ || ascii::equal_ignoring_case(option, "close");
    });
  }
}

void RequestParser::end_of_header() {
  if (!has_host_ && !request_.is_http_1_0) return refuse(400, "it has no Host field");
  if (is_coded_ && has_length_) return refuse(400, "its length has no one meaning");
  if (is_coded_ || (!has_length_ && request_.method == "POST"))
    return refuse(411, "say its length in Content-Length");
  if (left_ > most_body_) return refuse(413, "its body is too long");
  request_.keeps_alive = !close_said_ && !request_.is_http_1_0;
  phase_ = left_ > 0 ? Phase::body : Phase::complete;
}

}  // namespace relayd::http
