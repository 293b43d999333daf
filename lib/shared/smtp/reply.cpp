#include "shared/smtp/reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::smtp {

namespace {

constexpr std::size_t max_reply_lines = 512;
constexpr std::size_t max_reply_octets = 256 * 1024;
constexpr std::size_t max_sent_line = 512;

// One to three digits at the beginning of the text, which then begins behind them.
std::optional<std::uint16_t> take_number(std::string_view& text) {
  std::uint16_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && ascii::is_digit(text[digits]); ++digits) {
    if (digits == 3) return std::nullopt;
    value = static_cast<std::uint16_t>(value * 10 + (text[digits] - '0'));
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take_dot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

// An enhanced code counts only when its class is the reply's first digit (RFC 2034 4); else it is text.
EnhancedCode take_enhanced_code(std::string_view& text, int reply_code) {
  std::string_view rest = text;
  const auto status_class = take_number(rest);
  if (!status_class || *status_class != reply_code / 100 || !take_dot(rest)) return {};
  const auto subject = take_number(rest);
  if (!subject || !take_dot(rest)) return {};
  const auto detail = take_number(rest);
  if (!detail || (!rest.empty() && rest.front() != ' ')) return {};
  text = rest.empty() ? rest : rest.substr(1);
  return {*status_class, *subject, *detail};
}

// RFC 5321 4.2: the first digit is 2 to 5, the second 0 to 5. The second is not checked: servers invent
// codes.
int read_code(std::string_view line) {
  const bool digits = line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && ascii::is_digit(line[1]) &&
                      ascii::is_digit(line[2]);
  return digits ? (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0') : 0;
}

// The first character of the text as it is shown, and how many octets of the text it stands for.
std::pair<std::string, std::size_t> shown(std::string_view text) {
  const auto point = mail::first_code_point(text);
  if (point && !mail::is_invisible_control(point->value))
    return {std::string(text.substr(0, point->octets)), point->octets};
  return {fmt::format("\\x{:02X}", static_cast<unsigned char>(text.front())), 1};
}

bool is_plain(char c) {
  return c >= ' ' && c < 0x7f;
}

void append_escaped(std::string& result, std::string_view text, std::size_t limit) {
  const std::size_t most = result.size() + limit;
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_plain);
    const auto plain = static_cast<std::size_t>(end - text.begin());
    result.append(text.substr(0, std::min(plain, most - result.size())));
    text.remove_prefix(plain);
    if (text.empty() || result.size() == most) break;
    const auto [character, octets] = shown(text);
    if (result.size() + character.size() > most) break;
    result += character;
    text.remove_prefix(octets);
  }
}

}  // namespace

std::string to_string(EnhancedCode code) {
  return fmt::format("{}.{}.{}", code.status_class, code.subject, code.detail);
}

std::string escape(std::string_view text, std::size_t limit) {
  std::string result;
  append_escaped(result, text, limit);
  return result;
}

std::string enhanced_text(const Reply& reply, std::size_t limit) {
  std::string line = reply.enhanced.given() ? to_string(reply.enhanced) : std::string();
  if (!line.empty() && !reply.text.empty()) line += ' ';
  line += reply.text;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return escape(line, limit);
}

std::string one_line(const Reply& reply, std::size_t limit) {
  constexpr std::size_t code_and_space = 4;
  const std::string text = enhanced_text(reply, limit - code_and_space);
  return text.empty() ? fmt::format("{}", reply.code) : fmt::format("{} {}", reply.code, text);
}

std::string format_reply(int code, EnhancedCode enhanced, std::string_view text) {
  std::string result;
  append_reply(result, code, enhanced, text);
  return result;
}

void append_reply(std::string& output, int code, EnhancedCode enhanced, std::string_view text) {
  for (bool last = false; !last;) {
    const std::size_t end = text.find('\n');
    last = end == std::string_view::npos;
    const std::size_t begin = output.size();
    fmt::format_to(std::back_inserter(output), "{:03}{}", code, last ? ' ' : '-');
    if (enhanced.given())
      fmt::format_to(std::back_inserter(output), "{}.{}.{} ", enhanced.status_class, enhanced.subject,
                     enhanced.detail);
    append_escaped(output, text.substr(0, end), max_sent_line - (output.size() - begin) - 2);
    output += "\r\n";
    if (!last) text.remove_prefix(end + 1);
  }
}

std::size_t ReplyParser::feed(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::incomplete && taken < bytes.size()) {
    std::string_view rest = bytes.substr(taken);
    const std::size_t end = rest.find('\n');
    rest = rest.substr(0, end);  // the whole rest when no line ends in it
    const std::size_t here = end == std::string_view::npos ? rest.size() : end + 1;
    taken += here;
    octets_ += here;
    if (octets_ > max_reply_octets) {
      fail("reply of more than 256 KiB");
    } else if (end == std::string_view::npos) {
      partial_ += rest;
    } else if (partial_.empty()) {
      read_line(rest);
    } else {
      partial_ += rest;
      read_line(std::exchange(partial_, {}));
    }
  }
  return taken;
}

void ReplyParser::read_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  const int code = read_code(line);
  if (code == 0) return fail("not a reply: \"" + escape(line, 80) + '"');
  if (lines_ > 0 && code != reply_.code) return fail("the code changes inside a reply");
  const char separator = line.size() > 3 ? line[3] : ' ';
  if (separator != ' ' && separator != '-') return fail("not a reply: \"" + escape(line, 80) + '"');
  if (++lines_ > max_reply_lines) return fail("reply of more than 512 lines");

  std::string_view text = line.substr(std::min<std::size_t>(line.size(), 4));
  const EnhancedCode enhanced = take_enhanced_code(text, code);
  if (lines_ == 1)
    reply_.enhanced = enhanced;
  else
    reply_.text += '\n';
  reply_.code = code;
  reply_.text += text;
  if (separator == ' ') state_ = State::complete;
}

void ReplyParser::fail(std::string fault) {
  state_ = State::malformed;
  fault_ = std::move(fault);
}

Reply ReplyParser::take() {
  state_ = State::incomplete;
  lines_ = 0;
  octets_ = 0;
  return std::exchange(reply_, {});
}

}  // namespace relayd::smtp
