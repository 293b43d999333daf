#include "shared/http/response.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "shared/base/ascii.hpp"
#include "shared/http/request.hpp"
#include "shared/http/text.hpp"

namespace relayd::http {

ResponseParser::ResponseParser(std::string_view method, std::size_t most)
    : connect_(method == "CONNECT"), head_(method == "HEAD"), most_(most) {}

ResponseParser::State ResponseParser::state() const {
  if (phase_ == Phase::complete) return State::complete;
  return phase_ == Phase::malformed ? State::malformed : State::incomplete;
}

void ResponseParser::refuse(std::string text) {
  phase_ = Phase::malformed;
  fault_ = std::move(text);
  reusable_ = false;
}

std::size_t ResponseParser::feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  const std::size_t size = bytes.size();
  while (!bytes.empty() && state() == State::incomplete) {
    const bool in_body = phase_ == Phase::length || phase_ == Phase::chunk || phase_ == Phase::until_end;
    bytes.remove_prefix(in_body ? take_body(bytes) : take_line(bytes));
  }
  return size - bytes.size();
}

void ResponseParser::end() {
  if (phase_ == Phase::until_end)
    phase_ = Phase::complete;
  else if (state() == State::incomplete)
    refuse("it ends before it is whole");
}

// RFC 9112 9.3.
bool ResponseParser::keeps_alive() const {
  return !close_said_ && (!http_1_0_ || keep_alive_said_);
}

// --- lines ---

std::size_t ResponseParser::take_line(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::size_t count = std::min(newline, bytes.size() - 1) + 1;
  if (count > room_) {
    refuse("its header or its chunks are too long");
    return count;
  }
  room_ -= count;
  line_.append(bytes, 0, count);
  if (newline == std::string_view::npos) return count;
  const std::string line = std::exchange(line_, {});
  const std::string_view text(line.data(), line.size() - 1);
  if (text.find('\r') != text.size() - 1 || text.empty())
    refuse("a line of it does not end with CR LF");
  else
    on_line(text.substr(0, text.size() - 1));
  return count;
}

void ResponseParser::on_line(std::string_view line) {
  switch (phase_) {
    case Phase::status:
      return on_status(line);
    case Phase::header:
      return line.empty() ? end_of_header() : on_field(line);
    case Phase::chunk_size:
      return on_chunk_size(line);
    case Phase::chunk_end:
      phase_ = Phase::chunk_size;
      return line.empty() ? void() : refuse("a chunk of it is longer than was said");
    default:  // the trailer
      if (!line.empty()) return on_field(line);
      phase_ = Phase::complete;
      reusable_ = keeps_alive();
  }
}

void ResponseParser::on_status(std::string_view line) {
  const bool is_http =
      line.size() >= 12 && line.starts_with("HTTP/1.") && ascii::is_digit(line[7]) && line[8] == ' ';
  std::uint64_t status = 0;
  if (!is_http || !read_number(line.substr(9, 3), 10, status) || status < 100 || status > 599 ||
      (line.size() > 12 && line[12] != ' ') || !is_field_value(line))
    return refuse("it does not begin as HTTP/1.1 does");
  response_ = {static_cast<int>(status), {}, {}};
  http_1_0_ = line[7] == '0';
  keep_alive_said_ = close_said_ = chunked_ = has_length_ = false;
  left_ = 0;
  phase_ = Phase::header;
}

void ResponseParser::on_field(std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  if (colon == line.size() || !is_token(name)) return refuse("a line of its header is no field");
  const std::string_view value = ascii::trimmed(line.substr(colon + 1), ascii::blanks);
  if (!is_field_value(value)) return refuse("a field of its header has a control character");
  if (phase_ == Phase::trailer) return;
  if (response_.headers.size() == most_fields) return refuse("its header has too many fields");
  Header& header = response_.headers.emplace_back(Header{ascii::lower(name), std::string(value)});
  if (!read_framing(header.name, header.value))
    refuse(fmt::format("its field {} has no one meaning", header.name));
}

// What a field says of where the body ends and of the connection. False: nothing that can be relied on.
bool ResponseParser::read_framing(std::string_view name, std::string_view value) {
  if (name == "connection") {
    for_each_element(value, [this](std::string_view option) {
      close_said_ = close_said_ || ascii::equal_ignoring_case(option, "close");
      keep_alive_said_ = keep_alive_said_ || ascii::equal_ignoring_case(option, "keep-alive");
    });
  } else if (name == "transfer-encoding") {
    if (chunked_ || has_length_ || http_1_0_ || !ascii::equal_ignoring_case(value, "chunked")) return false;
    chunked_ = true;
  } else if (name == "content-length") {
    bool well = !chunked_;
    for_each_element(value, [&](std::string_view digits) {
      std::uint64_t length = 0;
      well = well && read_number(digits, 10, length) && (!has_length_ || length == left_);
      has_length_ = true;
      left_ = length;
    });
    return well;
  }
  return true;
}

void ResponseParser::end_of_header() {
  const int status = response_.status;
  if (status == 101) return refuse("it changes to a protocol that was not asked for");
  if (status < 200) {
    if (++interim_ > most_interim) return refuse("it is put off too often");
    room_ = most_head;
    phase_ = Phase::status;
    return;
  }
  if (connect_ && status < 300) {  // what follows is the tunnel's, whatever the header says
    reusable_ = true;
    phase_ = Phase::complete;
    return;
  }
  const bool bodiless = head_ || status == 204 || status == 304;
  if (bodiless || (has_length_ && left_ == 0)) {
    // Not every server knows that these have no body.
    reusable_ = keeps_alive() && (head_ || (!chunked_ && left_ == 0));
    phase_ = Phase::complete;
    return;
  }
  phase_ = chunked_ ? Phase::chunk_size : has_length_ ? Phase::length : Phase::until_end;
  if (phase_ == Phase::until_end) left_ = std::numeric_limits<std::uint64_t>::max();
  room_ = most_overhead;
}

// --- the body ---

// RFC 9112 7.1: the size in hexadecimal, and extensions, which nobody asked for.
void ResponseParser::on_chunk_size(std::string_view line) {
  const std::size_t digits = std::min(line.find_first_of("; \t"), line.size());
  const std::string_view extension = ascii::trimmed(line.substr(digits), ascii::blanks);
  if (digits > 16 || !read_number(line.substr(0, digits), 16, left_) || !is_field_value(line) ||
      (digits < line.size() && !extension.starts_with(';')))
    return refuse("the size of a chunk is no number");
  room_ += digits + 2;  // what a chunk cannot do without is paid for by its octets
  phase_ = left_ == 0 ? Phase::trailer : Phase::chunk;
}

std::size_t ResponseParser::take_body(std::string_view bytes) {
  const std::size_t count = std::min<std::uint64_t>(bytes.size(), left_);
  const std::size_t kept = std::min(count, most_ - response_.body.size());
  response_.body.append(bytes, 0, kept);
  if (count - kept > most_dropped - dropped_) {
    phase_ = Phase::complete;
    return kept + most_dropped - dropped_;
  }
  dropped_ += count - kept;
  left_ -= count;
  if (left_ > 0) return count;
  if (phase_ == Phase::chunk) {
    room_ += 2;
    phase_ = Phase::chunk_end;
  } else {
    phase_ = Phase::complete;
    reusable_ = keeps_alive();
  }
  return count;
}

}  // namespace relayd::http
