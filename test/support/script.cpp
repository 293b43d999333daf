#include "support/script.hpp"

#include <charconv>
#include <stdexcept>

#include "shared/base/ascii.hpp"

namespace relayd::test {

namespace {

[[noreturn]] void refuse(std::string_view line) {
  throw std::invalid_argument("no step of a script: " + std::string(line));
}

std::size_t number(std::string_view text) {
  std::size_t value = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || rest != text.data() + text.size()) refuse(text);
  return value;
}

// The octet that an escape stands for; `text` begins behind the backslash and loses what was read.
char take_escape(std::string_view& text) {
  if (text.empty()) refuse("\\");
  const char c = text.front();
  text.remove_prefix(1);
  switch (c) {
    case 'r':
      return '\r';
    case 'n':
      return '\n';
    case '0':
      return '\0';
    case '\\':
      return '\\';
    case 'x': {
      if (text.size() < 2) refuse(text);
      const int value = ascii::hex_value(text[0]) * 16 + ascii::hex_value(text[1]);
      text.remove_prefix(2);
      return static_cast<char>(value);
    }
    default:
      refuse(text);
  }
}

Duration duration(std::string_view text) {
  if (text.empty()) refuse(text);
  const auto count = static_cast<Duration::rep>(number(text.substr(0, text.size() - 1)));
  switch (text.back()) {
    case 's':
      return std::chrono::seconds(count);
    case 'm':
      return std::chrono::minutes(count);
    case 'h':
      return std::chrono::hours(count);
    default:
      refuse(text);
  }
}

Step spoken(bool by_peer, std::string_view text) {
  if (text.starts_with(' ')) text.remove_prefix(1);
  if (!by_peer) return {Step::Kind::expect, unescape(text), {}, {}};
  const bool open = text.ends_with('\\') && !text.ends_with("\\\\");
  if (open) text.remove_suffix(1);
  return {Step::Kind::say, unescape(text) + (open ? "" : "\r\n"), {}, {}};
}

}  // namespace

std::string unescape(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t end = text.find('}');
    if (c == '{' && text.size() > 2 && text[2] == '*' && end != std::string_view::npos) {
      result.append(number(text.substr(3, end - 3)), text[1]);
      text.remove_prefix(end + 1);
      continue;
    }
    text.remove_prefix(1);
    result += c == '\\' ? take_escape(text) : c;
  }
  return result;
}

bool add_step(Script& script, Side peer, std::string_view line) {
  const auto after = [line](std::string_view word) { return line.substr(word.size()); };
  if (line.starts_with("S:"))
    script.push_back(spoken(peer == Side::server, after("S:")));
  else if (line.starts_with("C:"))
    script.push_back(spoken(peer == Side::client, after("C:")));
  else if (line == "TLS")
    script.push_back({Step::Kind::tls, {}, {}, {}});
  else if (line == "CLOSE")
    script.push_back({Step::Kind::close, {}, {}, {}});
  else if (line == "RESET")
    script.push_back({Step::Kind::reset, {}, {}, {}});
  else if (line.starts_with("PAUSE "))
    script.push_back({Step::Kind::pause, {}, duration(after("PAUSE ")), {}});
  else if (line.starts_with("DO "))
    script.push_back({Step::Kind::call, std::string(after("DO ")), {}, {}});
  else
    return false;
  return true;
}

Script make_script(Side peer, std::string_view lines) {
  Script script;
  while (!lines.empty()) {
    std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.empty() || line.starts_with('#')) continue;
    if (!add_step(script, peer, line)) refuse(line);
  }
  return script;
}

}  // namespace relayd::test
