#include "settle/verdict.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "settle/provider_id.hpp"
#include "settle/reading.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::string_view providers[] = {"", "163", "cloudflare", "gmail", "oci", "office365", "ses"};

void check(settle::Stage stage, const smtp::Reply& reply, std::string_view provider) {
  using namespace std::chrono_literals;
  const settle::Verdict verdict = settle::judge(stage, reply, provider);
  demand(verdict.wait == 0s || (verdict.wait >= 1s && verdict.wait <= 1h), "a wait is from 1 s to 1 h");
  demand(verdict.wait == 0s || verdict.action == settle::Action::retry, "what is over does not wait");
  demand(verdict.action == settle::Action::retry || stage >= settle::Stage::mail, "nothing ends before MAIL");
  const std::string words = settle::own_words(stage, reply.text);
  demand(words.find('\n') == std::string::npos, "own words are one line");
  demand(stage != settle::Stage::rcpt || words.find_first_of("<\"") == std::string::npos,
         "nothing is quoted");
  const std::string id = settle::provider_id(reply, provider);
  demand(id.size() <= 255 && std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; }),
         "an id is graphic and short");
}

}  // namespace

// The stage, the provider, then the reply.
void verdict(std::string_view input) {
  if (input.size() < 2) return;
  const auto stage = static_cast<settle::Stage>(static_cast<unsigned char>(input[0]) % 9);
  const std::string_view provider = providers[static_cast<unsigned char>(input[1]) % std::size(providers)];
  smtp::ReplyParser parser;
  parser.feed(input.substr(2));
  if (parser.state() == smtp::ReplyParser::State::complete) check(stage, parser.take(), provider);
}

}  // namespace relayd::fuzz
