#include "shared/mail/encoded_words.hpp"

#include <algorithm>
#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"
#include "shared/mail/line_length.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::mail {

namespace {

constexpr std::size_t wanted_encoded_line = 76;  // RFC 2047 2
constexpr std::size_t longest_piece = 900;
constexpr std::size_t octets_of_a_word = 36;  // 48 in base64, 60 with what stands around them
constexpr std::size_t longest_read = 512;     // RFC 2047 2 says 75; some write more

// RFC 2047 4.2.
std::string from_q(std::string_view text) {
  std::string octets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '=' && i + 2 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? ascii::hex_value(text[i + 2]) : -1;
    if (low < 0) {
      octets += text[i] == '_' ? ' ' : text[i];
      continue;
    }
    octets += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return octets;
}

// Takes "=?CHARSET?ENCODING?TEXT?=" off the front and decodes it; nothing when none stands there.
std::optional<std::string> take_encoded_word(std::string_view& text) {
  if (!text.starts_with("=?")) return std::nullopt;
  std::string_view word = text.substr(0, longest_read);
  word = word.substr(0, word.find_first_of(ascii::white_space));
  const std::size_t charset_end = word.find('?', 2);
  if (charset_end == std::string_view::npos || charset_end + 2 >= word.size() || word[charset_end + 2] != '?')
    return std::nullopt;
  const std::size_t begin = charset_end + 3;
  const std::size_t end = word.find("?=", begin);
  const char encoding = ascii::lower(word[charset_end + 1]);
  if (end == std::string_view::npos || (encoding != 'b' && encoding != 'q')) return std::nullopt;
  const std::string_view inside = word.substr(begin, end - begin);
  text.remove_prefix(end + 2);
  return encoding == 'b' ? base64::decode_leniently(inside) : from_q(inside);
}

// Text with each run of blanks as one, and none in front.
class Squeezed {
 public:
  void put(char c) {
    if (ascii::is_white_space(c)) return put_blank();
    if (blank_ && !text_.empty()) text_ += ' ';
    blank_ = false;
    text_ += c;
  }
  void put_blank() { blank_ = true; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  bool blank_ = false;
};

}  // namespace

bool needs_encoding(std::string_view text, bool utf8) {
  std::size_t piece = 0;  // a word with the blanks before it
  bool in_word = false;
  for (const char c : text) {
    const bool blank = ascii::is_blank(c);
    piece = blank && in_word ? 1 : piece + 1;
    in_word = !blank;
    if (piece > longest_piece || (!blank && ascii::is_control(c))) return true;
  }
  return !utf8 && !ascii::all_ascii(text);
}

std::string encode_words(std::string_view text) {
  std::string words;
  std::string octets;
  const auto end_word = [&] {
    words += words.empty() ? "=?utf-8?b?" : " =?utf-8?b?";
    words += base64::encode(octets);
    words += "?=";
    octets.clear();
  };
  while (!text.empty()) {
    const auto code_point = first_code_point(text);
    const std::size_t size = code_point ? code_point->octets : 1;
    if (octets.size() + size > octets_of_a_word) end_word();
    octets += code_point ? text.substr(0, size) : "?";
    text.remove_prefix(size);
  }
  if (!octets.empty()) end_word();
  return words;
}

void append_folded(std::string& field, std::string_view text, bool encoded) {
  const std::size_t wanted = encoded ? wanted_encoded_line : wanted_line;
  const std::size_t last_end = field.rfind('\n');
  std::size_t line = last_end == std::string::npos ? 0 : last_end + 1;
  for (bool first = true; !text.empty(); first = false) {
    const std::size_t word = std::min(text.find_first_not_of(ascii::blanks), text.size());
    const std::size_t end = std::min(text.find_first_of(ascii::blanks, word), text.size());
    const std::size_t piece = end + (first ? 1 : 0);
    const std::size_t column = field.size() - line;
    // Behind the colon a fold helps only a word that fits into the next line.
    const bool fold = column + piece > wanted && (!first || piece <= wanted || column + piece > max_line);
    if (fold) {
      field += "\r\n";
      line = field.size();
    }
    if (first) field += ' ';
    field += text.substr(0, end);
    text.remove_prefix(end);
  }
}

std::string unstructured_field(std::string_view name, std::string_view value, bool utf8) {
  value = ascii::trimmed(value, ascii::blanks);
  std::string field(name);
  field += ':';
  const bool encoded = needs_encoding(value, utf8);
  append_folded(field, encoded ? encode_words(value) : value, encoded);
  return field += "\r\n";
}

std::string beginning_of_text(std::string_view body, std::size_t most) {
  Squeezed text;
  bool behind_encoded = false;
  while (text.text().size() < most) {
    const std::size_t begin = std::min(body.find_first_not_of(ascii::white_space), body.size());
    body.remove_prefix(begin);
    if (body.empty()) break;
    const std::optional<std::string> decoded = take_encoded_word(body);
    // What stands between two encoded words is not shown (RFC 2047 6.2).
    if (begin > 0 && !(decoded && behind_encoded)) text.put_blank();
    behind_encoded = decoded.has_value();
    if (decoded) {
      for (const char c : *decoded) text.put(c);
      continue;
    }
    text.put(body.front());
    body.remove_prefix(1);
  }
  return text.text();
}

}  // namespace relayd::mail
