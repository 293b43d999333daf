#include "rewrite/subject_prefix.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "rewrite/folding.hpp"
#include "rewrite/header_edit.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/encoded_words.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t room_for_replies = 256;  // of "Re: Fwd: Re:" before a prefix

bool is_alphanumeric(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c);
}

// Takes "Re:", "Fwd:" or "Re[2]:" off the front, with the blank behind it; false when there is none.
bool take_reply_mark(std::string_view& text) {
  static constexpr auto marks = std::to_array<std::string_view>({"re", "fwd", "fw", "aw", "wg"});
  const std::size_t end = text.find_first_of(":[ ");
  if (end == std::string_view::npos || text[end] == ' ') return false;
  const auto is_mark = [word = text.substr(0, end)](std::string_view mark) {
    return ascii::equal_ignoring_case(word, mark);
  };
  if (std::ranges::none_of(marks, is_mark)) return false;
  std::string_view rest = text.substr(end);
  if (rest.front() == '[') {
    const std::size_t number_end = rest.find_first_not_of("0123456789", 1);
    if (number_end == std::string_view::npos || rest[number_end] != ']') return false;
    rest.remove_prefix(number_end + 1);
  }
  if (!rest.starts_with(':')) return false;
  rest.remove_prefix(1);
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  text = rest;
  return true;
}

// "TEST" is not in front of "TESTING".
bool begins_with(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return text.empty() || !is_alphanumeric(prefix.back()) || !is_alphanumeric(text.front());
}

bool has_prefix(std::string_view body, std::string_view prefix) {
  const std::string read = mail::beginning_of_text(body, prefix.size() + room_for_replies);
  std::string_view text = read;
  do {
    if (begins_with(text, prefix)) return true;
  } while (take_reply_mark(text));
  return false;
}

// What stands from the field's name to the text, with the prefix.
std::string prefixed_head(const mail::Field& field, std::string_view prefix, bool utf8,
                          bool encoded_follows) {
  std::string head(field.whole.substr(0, field.whole.size() - field.body.size()));
  if (!mail::needs_encoding(prefix, utf8)) {
    mail::append_folded(head, prefix, false);
    return head;
  }
  // A blank between two encoded words is not shown (RFC 2047 6.2): it has to be inside.
  std::string text(prefix);
  if (encoded_follows) text += ' ';
  mail::append_folded(head, mail::encode_words(text), true);
  return head;
}

void put_prefix(HeaderEdit& edit, const mail::Field& field, std::string_view prefix, bool utf8) {
  const std::string_view body = field.body;
  const std::string_view text = body.substr(std::min(body.find_first_not_of(ascii::blanks), body.size()));
  const std::string_view first_word =
      text.substr(std::min(text.find_first_not_of(ascii::white_space), text.size()));
  std::string head = prefixed_head(field, prefix, utf8, first_word.starts_with("=?"));
  const std::size_t first_line = std::min(text.find_first_of("\r\n"), text.size());
  if (first_line > 0) {
    const std::size_t column = head.size() - (head.rfind('\n') + 1);  // none: 0
    if (column + 1 + first_line > wanted_line) head += "\r\n";
    head += ' ';
  }
  edit.replace(field.whole.substr(0, field.whole.size() - text.size()), head);
}

}  // namespace

std::optional<std::string> with_subject_prefix(std::string_view header, std::string_view prefix,
                                               bool smtp_utf8) {
  prefix = ascii::trimmed(prefix, ascii::blanks);
  const std::string written =
      mail::needs_encoding(prefix, smtp_utf8) ? mail::encode_words(prefix) : std::string(prefix);
  const std::string as_read = mail::beginning_of_text(written, written.size());
  if (as_read.empty()) return std::nullopt;
  HeaderEdit edit(header);
  bool has_subject = false;
  for (mail::Field field; edit.next(field);) {
    if (!field.is("Subject")) continue;
    has_subject = true;
    if (!has_prefix(field.body, as_read)) put_prefix(edit, field, prefix, smtp_utf8);
  }
  if (!has_subject) edit.add(mail::unstructured_field("Subject", prefix, smtp_utf8));
  return std::move(edit).take();
}

}  // namespace relayd::rewrite
