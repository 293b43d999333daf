#include "shared/smtp/reply.hpp"

#include <vector>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

namespace {

struct Read {
  std::vector<smtp::Reply> replies;
  bool malformed = false;
};

void feed(smtp::ReplyParser& parser, std::string_view bytes, Read& read) {
  while (!bytes.empty() && parser.state() == smtp::ReplyParser::State::incomplete) {
    bytes.remove_prefix(parser.feed(bytes));
    if (parser.state() == smtp::ReplyParser::State::complete) read.replies.push_back(parser.take());
  }
  read.malformed = parser.state() == smtp::ReplyParser::State::malformed;
}

void check(const smtp::Reply& reply) {
  demand(reply.code >= 200 && reply.code <= 599, "a reply has a code");
  const std::string line = smtp::one_line(reply, 80);
  demand(line.size() <= 80, "one line keeps its limit");
  for (const char c : line) demand(!ascii::is_control(c), "one line is one line");
  smtp::ReplyParser parser;
  Read again;
  feed(parser, smtp::format_reply(reply.code, reply.enhanced, reply.text), again);
  demand(again.replies.size() == 1 && again.replies[0].code == reply.code && !again.malformed,
         "what we write is one reply");
}

}  // namespace

void reply(std::string_view input) {
  smtp::ReplyParser parser;
  Read whole;
  feed(parser, input, whole);
  smtp::ReplyParser cut_parser;
  Read pieces;
  const std::size_t cut = cut_of(input);
  feed(cut_parser, input.substr(0, cut), pieces);
  feed(cut_parser, input.substr(cut), pieces);
  demand(whole.replies.size() == pieces.replies.size() && whole.malformed == pieces.malformed,
         "the cut does not matter");
  for (const smtp::Reply& reply : whole.replies) check(reply);
}

}  // namespace relayd::fuzz
