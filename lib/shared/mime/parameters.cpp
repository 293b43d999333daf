#include "shared/mime/parameters.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/encoded_words.hpp"
#include "shared/mime/decode.hpp"

namespace relayd::mime {

namespace {

constexpr std::size_t longest_value = 4096;

void skip_comment(std::string_view& text) {
  std::size_t depth = 0, at = 0;
  do {
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '(')
      ++depth;
    else if (text[at] == ')')
      --depth;
    ++at;
  } while (depth > 0 && at < text.size());
  text.remove_prefix(std::min(at, text.size()));
}

void skip_space(std::string_view& text) {
  while (!text.empty() && (ascii::is_white_space(text.front()) || text.front() == '(')) {
    if (text.front() == '(')
      skip_comment(text);
    else
      text.remove_prefix(1);
  }
}

// Up to one of those characters, or to the end; without blanks at either end.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const std::string_view taken = text.substr(0, text.find_first_of(ends));
  text.remove_prefix(taken.size());
  return ascii::trimmed(taken, ascii::white_space);
}

// Behind its first quote, up to and with the last.
std::string take_quoted(std::string_view& text) {
  std::string value;
  std::size_t at = 0;
  for (; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) ++at;
    if (text[at] != '\r' && text[at] != '\n') value += text[at];
  }
  text.remove_prefix(std::min(at + 1, text.size()));
  return value;
}

std::string take_value(std::string_view& text) {
  skip_space(text);
  if (!text.starts_with('"')) return std::string(take_until(text, ";\r\n"));
  text.remove_prefix(1);
  return take_quoted(text);
}

// "CHARSET'LANGUAGE'VALUE" without what stands before the value.
std::string_view behind_charset(std::string_view value) {
  const std::size_t charset = value.find('\'');
  const std::size_t language = charset == std::string_view::npos ? charset : value.find('\'', charset + 1);
  return language == std::string_view::npos ? value : value.substr(language + 1);
}

const Parameters::Parameter* find(const Parameters& parameters, std::string_view name) {
  const auto found = std::ranges::find(parameters.all, name, &Parameters::Parameter::name);
  return found == parameters.all.end() ? nullptr : &*found;
}

// "name*0", "name*1*"…
std::string joined_pieces(const Parameters& parameters, const std::string& name) {
  std::string value;
  for (std::size_t number = 0; number < most_parameters && value.size() < longest_value; ++number) {
    const std::string plain = name + '*' + std::to_string(number);
    if (const auto* const coded = find(parameters, plain + '*'))
      value += decode_percent(number == 0 ? behind_charset(coded->value) : std::string_view(coded->value));
    else if (const auto* const piece = find(parameters, plain))
      value += piece->value;
    else
      break;
  }
  return value;
}

}  // namespace

std::string Parameters::value(std::string_view name) const {
  const std::string text(name);
  if (const Parameter* const coded = find(*this, text + '*'))
    return decode_percent(behind_charset(coded->value));
  if (std::string joined = joined_pieces(*this, text); !joined.empty()) return joined;
  const Parameter* const plain = find(*this, text);
  if (!plain) return {};
  // RFC 2047 5 forbids it, and many write it.
  return plain->value.find("=?") == std::string::npos ? plain->value
                                                      : mail::beginning_of_text(plain->value, longest_value);
}

Parameters parameters_of(std::string_view body) {
  Parameters parameters;
  skip_space(body);
  parameters.word = ascii::lower(take_until(body, ";(\r\n"));
  skip_space(body);
  while (parameters.all.size() < most_parameters) {
    body.remove_prefix(std::min(body.find(';'), body.size()));
    if (body.empty()) break;
    body.remove_prefix(1);
    skip_space(body);
    const std::string name = ascii::lower(take_until(body, "=;"));
    if (!body.starts_with('=')) continue;
    body.remove_prefix(1);
    std::string value = take_value(body).substr(0, longest_value);
    if (!name.empty()) parameters.all.push_back({name, std::move(value)});
  }
  return parameters;
}

}  // namespace relayd::mime
