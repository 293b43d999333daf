#include "tell/report_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "shared/base/ascii.hpp"
#include "shared/mail/line_length.hpp"
#include "shared/mail/utf8.hpp"
#include "shared/smtp/xtext.hpp"

namespace relayd::tell {

namespace {

using mail::max_line;
using mail::wanted_line;

constexpr std::size_t longest_encoded_line = 76;  // RFC 2045 6.7
constexpr std::string_view escaped_line_end = "\\x0A";

bool is_graphic(char c) {
  return c > ' ' && c <= '~';
}

std::size_t column_of(std::string_view output) {
  const std::size_t end = output.rfind('\n');
  return output.size() - (end == std::string_view::npos ? 0 : end + 1);
}

// At most `room` octets off the front, none of them the beginning of a character that is left in two.
std::string_view take_piece(std::string_view& text, std::size_t room) {
  std::size_t size = std::min(room, text.size());
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
  if (size == 0) size = std::min(room, text.size());
  const std::string_view piece = text.substr(0, size);
  text.remove_prefix(size);
  return piece;
}

// Where the first line of the text ends, and how many octets that end has.
struct LineEnd {
  std::size_t at;
  std::size_t octets;
};
LineEnd line_end(std::string_view text) {
  const std::size_t bare = std::min(text.find_first_of("\r\n"), text.size());
  const std::size_t escaped = std::min(text.find(escaped_line_end), text.size());
  if (escaped < bare) return {escaped, escaped_line_end.size()};
  return {bare, bare < text.size() ? std::size_t{1} : 0};
}

}  // namespace

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (is_graphic(c) || c == ' ')
      result += c;
    else if (c == '\t')
      result += ' ';
    else
      fmt::format_to(std::back_inserter(result), "\\x{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

std::vector<std::string> printable_lines(std::string_view text, std::size_t most) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto [end, octets] = line_end(text);
    // An octet becomes four at most.
    const std::string_view raw = ascii::trimmed(text.substr(0, std::min(end, most)), ascii::blanks);
    std::string line = printable(raw);
    const bool cut = end > most || line.size() > most;
    if (cut) line = line.substr(0, most) + "...";
    most -= std::min(most, line.size());
    text.remove_prefix(end + octets);
    if (!line.empty()) lines.push_back(std::move(line));
    if (cut) return lines;
    if (most == 0 && !text.empty()) {
      lines.emplace_back("...");
      return lines;
    }
  }
  return lines;
}

void append_wrapped(std::string& output, std::string_view text, std::string_view indent) {
  std::size_t column = column_of(output);
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t begin = std::min(text.find_first_not_of(' '), text.size());
    std::string_view word = text.substr(begin, std::min(text.find(' ', begin), text.size()) - begin);
    text.remove_prefix(begin + word.size());
    if (word.empty()) break;
    const std::size_t gap = first ? 0 : 1;
    if (column + gap + word.size() <= wanted_line) {
      output.append(gap, ' ').append(word);
      column += gap + word.size();
      continue;
    }
    const auto new_line = [&] {
      while (output.ends_with(' ')) output.pop_back();
      output.append("\r\n").append(indent);
      column = indent.size();
    };
    if (column > indent.size()) new_line();
    for (; column + word.size() > wanted_line; new_line()) output += take_piece(word, wanted_line - column);
    output += word;
    column += word.size();
  }
}

void append_whole(std::string& output, std::string_view text) {
  for (std::size_t column = column_of(output); column + text.size() > max_line; column = 1)
    output.append(take_piece(text, max_line - column)).append("\r\n ");
  output += text;
}

bool is_clean_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto code_point = mail::first_code_point(text);
    if (!code_point || mail::is_invisible_control(code_point->value)) return false;
    text.remove_prefix(code_point->octets);
  }
  return true;
}

std::string typed_address(std::string_view address, bool utf8) {
  // A blank stands in quotes.
  if (std::ranges::all_of(address, [](char c) { return is_graphic(c) || c == ' '; }))
    return std::string("rfc822; ").append(address);
  if (utf8 && is_clean_utf8(address)) return std::string("utf-8; ").append(address);
  return "utf-8; " + smtp::encode_utf8_xtext(address);
}

bool is_plain(std::string_view text, bool utf8) {
  while (!text.empty()) {
    const std::size_t end = text.find("\r\n");
    const std::string_view line = text.substr(0, end);
    if (line.size() > max_line) return false;
    if (std::ranges::any_of(line, [](char c) { return ascii::is_control(c) && c != '\t'; })) return false;
    if (!ascii::all_ascii(line)) {
      if (!utf8) return false;
      for (std::string_view rest = line; !rest.empty();) {
        const auto code_point = mail::first_code_point(rest);
        if (!code_point) return false;
        rest.remove_prefix(code_point->octets);
      }
    }
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  }
  return true;
}

std::string quoted_printable(std::string_view text) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    if (text.starts_with("\r\n")) {
      result += "\r\n";
      column = 0;
      text.remove_prefix(2);
      continue;
    }
    const char c = text.front();
    text.remove_prefix(1);
    const bool at_end = text.empty() || text.starts_with("\r\n");
    const bool plain = (is_graphic(c) && c != '=') || (ascii::is_blank(c) && !at_end);
    // A soft line break needs an octet, too.
    if (column + (plain ? 1 : 3) > longest_encoded_line - (at_end ? 0 : 1)) {
      result += "=\r\n";
      column = 0;
    }
    if (plain)
      result += c;
    else
      fmt::format_to(std::back_inserter(result), "={:02X}", static_cast<unsigned char>(c));
    column += plain ? 1 : 3;
  }
  return result;
}

}  // namespace relayd::tell
