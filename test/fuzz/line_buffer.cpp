#include "shared/smtp/line_buffer.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"

namespace relayd::fuzz {

namespace {

constexpr std::size_t limit = 16;

void read_lines(smtp::LineBuffer& buffer, std::vector<std::string>& lines) {
  while (const auto line = buffer.line()) lines.emplace_back(line->too_long ? "\r\n" : line->text);
}

void feed(smtp::LineBuffer& buffer, std::string_view bytes, std::vector<std::string>& lines) {
  std::copy(bytes.begin(), bytes.end(), buffer.space(bytes.size()).begin());
  buffer.filled(bytes.size());
  read_lines(buffer, lines);
}

std::vector<std::string> expected(std::string_view input) {
  std::vector<std::string> lines;
  for (std::size_t end = input.find("\r\n"); end != std::string_view::npos; end = input.find("\r\n")) {
    lines.emplace_back(end + 2 > limit ? "\r\n" : input.substr(0, end));
    input.remove_prefix(end + 2);
  }
  return lines;
}

}  // namespace

void line_buffer(std::string_view input) {
  const std::size_t cut = cut_of(input);
  smtp::LineBuffer pieces(limit);
  std::vector<std::string> lines;
  feed(pieces, input.substr(0, cut), lines);
  feed(pieces, input.substr(cut), lines);
  demand(lines == expected(input), "lines end at CR LF, wherever the input is cut");

  smtp::LineBuffer octets(limit);
  lines.clear();
  for (const char& c : input) feed(octets, {&c, 1}, lines);
  demand(lines == expected(input), "lines end at CR LF, octet by octet");
  demand(octets.rest().size() <= limit, "memory is bounded");
}

}  // namespace relayd::fuzz
