#include <vector>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/http/response.hpp"

namespace relayd::fuzz {

namespace {

using http::ResponseParser;
using State = ResponseParser::State;

constexpr std::size_t kept = 10;

struct Read {
  State state;
  State ended;  // once the stream has ended, too
  std::string fault;
  bool reusable;
  http::Response response;
  std::size_t taken = 0;
};

// In two parts, each in memory of its own, or octet by octet.
Read read(std::string_view method, std::string_view input, std::size_t cut, bool by_octet) {
  ResponseParser parser(method, kept);
  std::size_t taken = 0;
  while (!input.empty() && parser.state() == State::incomplete) {
    const std::string_view part = input.substr(0, by_octet ? 1 : taken < cut ? cut - taken : input.size());
    const std::vector<char> alone(part.begin(), part.end());
    const std::size_t count = parser.feed({alone.data(), alone.size()});
    demand(count <= part.size(), "no more is taken than there is");
    demand(count == part.size() || parser.state() != State::incomplete,
           "all of an unfinished response is taken");
    taken += count;
    input.remove_prefix(count);
  }
  const State state = parser.state();
  parser.end();
  return {state, parser.state(), parser.fault(), parser.reusable(), parser.take(), taken};
}

void check(const http::Response& response) {
  demand(response.status >= 200 && response.status <= 599, "a response is final");
  demand(response.body.size() <= kept, "no more is kept than was asked for");
  std::size_t size = 0;
  for (const http::Header& header : response.headers) {
    size += header.name.size() + header.value.size();
    demand(header.name == ascii::lower(header.name), "names are in lower case");
    for (const char c : header.name + header.value)
      demand(!ascii::is_control(c) || c == '\t', "a field is one line");
  }
  demand(response.headers.size() <= ResponseParser::most_fields && size <= ResponseParser::most_head,
         "a header is bounded");
}

}  // namespace

void http_response(std::string_view input) {
  for (const char* method : {"POST", "HEAD", "CONNECT"}) {
    const Read whole = read(method, input, 0, false);
    demand(whole.ended != State::incomplete, "the end of the stream is an end");
    demand(whole.fault.empty() == (whole.ended == State::complete), "what is malformed says why");
    demand(whole.ended == State::complete || !whole.reusable, "nothing comes after what is malformed");
    if (whole.ended == State::complete) check(whole.response);
    for (const Read& other : {read(method, input, cut_of(input), false), read(method, input, 0, true),
                              read(method, input.substr(0, whole.taken), 0, false)}) {
      demand(other.state == whole.state && other.ended == whole.ended && other.fault == whole.fault &&
                 other.reusable == whole.reusable,
             "the cut does not matter");
      demand(
          whole.ended != State::complete || (other.response == whole.response && other.taken == whole.taken),
          "the cut does not matter to the response");
    }
  }
}

}  // namespace relayd::fuzz
