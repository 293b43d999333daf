#include "settle/provider_id.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "providers/provider.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::settle {

namespace {

constexpr std::size_t longest = 255;

void skip_spaces(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \n"), text.size()));
}

// Up to the end character; nothing where that is missing, unless it is a space.
std::string_view word_until(char end, std::string_view text) {
  const std::size_t size =
      text.find_first_of(end == ' ' ? std::string_view(" \n") : std::string_view(&end, 1));
  if (size == std::string_view::npos && end != ' ') return {};
  return text.substr(0, size);
}

std::string_view by_pattern(const providers::IdPattern& pattern, std::string_view text) {
  if (!ascii::equal_ignoring_case(text.substr(0, pattern.before.size()), pattern.before)) return {};
  text.remove_prefix(pattern.before.size());
  for (int words = 0; words < pattern.words; ++words) {
    skip_spaces(text);
    text.remove_prefix(word_until(' ', text).size());
  }
  if (pattern.end == ' ') skip_spaces(text);
  return word_until(pattern.end, text);
}

std::string_view queued_as(std::string_view text) {
  constexpr std::string_view before = "queued as ";
  for (std::size_t at = 0; at + before.size() <= text.size(); ++at) {
    if (!ascii::equal_ignoring_case(text.substr(at, before.size()), before)) continue;
    text.remove_prefix(at + before.size());
    skip_spaces(text);
    std::string_view id = text.substr(0, text.find_first_of(" \n),;"));
    while (id.ends_with('.')) id.remove_suffix(1);
    return id;
  }
  return {};
}

// Whatever else it is, it is no id, and log and history are no place for it. What was escaped has a
// backslash.
bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= longest &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '\\'; });
}

}  // namespace

std::string provider_id(const smtp::Reply& reply, std::string_view provider) {
  const providers::Provider* const known = providers::find(provider);
  if (known && known->id)
    if (const std::string_view id = by_pattern(*known->id, reply.text); is_id(id)) return std::string(id);
  const std::string_view id = queued_as(reply.text);
  return is_id(id) ? std::string(id) : std::string();
}

std::string provider_id(int code, std::string_view line, std::string_view provider) {
  smtp::ReplyParser parser;
  parser.feed(fmt::format("{} {}\r\n", code, line));
  return parser.state() == smtp::ReplyParser::State::complete ? provider_id(parser.take(), provider)
                                                              : std::string();
}

}  // namespace relayd::settle
