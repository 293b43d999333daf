#include <vector>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/http/request_parser.hpp"

namespace relayd::fuzz {

namespace {

using http::RequestParser;
using State = RequestParser::State;

constexpr std::size_t most_body = 100;

struct Read {
  State state;
  int status;
  std::string fault;
  http::ReceivedRequest request;
  std::size_t taken = 0;
};

// In two parts, each in memory of its own, or octet by octet.
Read read(std::string_view input, std::size_t cut, bool by_octet) {
  RequestParser parser(most_body);
  std::size_t taken = 0;
  while (!input.empty() && parser.state() == State::incomplete) {
    const std::string_view part = input.substr(0, by_octet ? 1 : taken < cut ? cut - taken : input.size());
    const std::vector<char> alone(part.begin(), part.end());
    const std::size_t count = parser.feed({alone.data(), alone.size()});
    demand(count <= part.size(), "no more is taken than there is");
    demand(count == part.size() || parser.state() != State::incomplete,
           "all of an unfinished request is taken");
    taken += count;
    input.remove_prefix(count);
  }
  return {parser.state(), parser.status(), parser.fault(), parser.take(), taken};
}

void check(const http::ReceivedRequest& request) {
  demand(request.body.size() <= most_body, "a body is bounded");
  demand(request.target.starts_with('/') || request.target == "*", "a target is a path");
  demand(request.target.size() <= RequestParser::most_target, "a target is bounded");
  demand(request.is_http_1_0 || !request.authority.empty(), "a request is for somebody");
  for (const char c : request.method + request.target + request.authority)
    demand(c > ' ' && c < 0x7f, "the request line is visible ASCII");
  std::size_t size = 0;
  for (const http::Header& header : request.headers) {
    size += header.name.size() + header.value.size();
    for (const char c : header.name + header.value)
      demand(!ascii::is_control(c) || c == '\t', "a field is one line");
  }
  demand(request.headers.size() <= RequestParser::most_fields && size <= RequestParser::most_head,
         "a header is bounded");
}

}  // namespace

void http_request(std::string_view input) {
  const Read whole = read(input, 0, false);
  demand((whole.status == 0) == (whole.state != State::malformed), "what is malformed has a status");
  demand(whole.fault.empty() == (whole.state != State::malformed), "what is malformed says why");
  if (whole.state == State::complete) check(whole.request);
  for (const Read& other : {read(input, cut_of(input), false), read(input, 0, true)}) {
    demand(other.state == whole.state && other.status == whole.status, "the cut does not matter");
    demand(whole.state != State::complete || (other.request == whole.request && other.taken == whole.taken),
           "the cut does not matter to the request");
  }
}

}  // namespace relayd::fuzz
