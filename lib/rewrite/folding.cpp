#include "rewrite/folding.hpp"

#include <algorithm>
#include <string_view>

#include "shared/base/ascii.hpp"

namespace relayd::rewrite {

namespace {

bool fits(std::string_view field) {
  for (std::size_t begin = 0; begin < field.size();) {
    const std::size_t end = std::min(field.find('\n', begin), field.size());
    const bool has_cr = end > begin && end < field.size() && field[end - 1] == '\r';
    if (end - begin - (has_cr ? 1 : 0) > max_line) return false;
    begin = end + 1;
  }
  return true;
}

// Where in a field an octet stands.
class Syntax {
 public:
  void take(char c) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = quoted_ || comments_ > 0;
    } else if (quoted_ || (c == '"' && comments_ == 0)) {
      quoted_ = quoted_ != (c == '"');
    } else if (c == '(') {
      ++comments_;
    } else if (c == ')' && comments_ > 0) {
      --comments_;
    } else if (comments_ == 0 && (c == '<' || c == '>')) {
      bracketed_ = c == '<';
    }
    // RFC 2047: some have a comma in them, none has a blank.
    if (last_ == '=' && c == '?') encoded_ = true;
    if (ascii::is_blank(c) || c == '>') encoded_ = false;
    last_ = c;
  }
  bool may_break_at_blank() const { return !quoted_ && !bracketed_ && !escaped_; }
  bool is_separator() const { return last_ == ',' && !quoted_ && !bracketed_ && !encoded_ && comments_ == 0; }

 private:
  bool quoted_ = false;
  bool escaped_ = false;  // the next octet means nothing
  std::size_t comments_ = 0;
  bool bracketed_ = false;
  bool encoded_ = false;
  char last_ = ':';
};

class Folding {
 public:
  std::optional<std::string> fold(std::string_view field) {
    const std::size_t body = std::min(field.find(':'), field.size());
    for (std::size_t i = 0; i < field.size(); ++i) {
      const char next = i + 1 < field.size() ? field[i + 1] : '\n';
      if (!take(field[i], next, i > body)) return std::nullopt;
    }
    return std::move(text_);
  }

 private:
  static constexpr std::size_t nowhere = 0;

  bool take(char c, char next, bool in_body) {
    if (c == '\n') {
      text_ += c;
      line_ = text_.size();
      place_ = blank_ = nowhere;
      return true;
    }
    const bool line_end = c == '\r' && next == '\n';
    if (in_body && !line_end) find_place(c);
    text_ += c;
    if (!line_end && text_.size() - line_ > max_line && !fold_line()) return false;
    if (!in_body) return true;
    syntax_.take(c);
    if (syntax_.is_separator() && !ascii::is_blank(next) && next != '\r' && next != '\n') {
      place_ = text_.size();
      needs_blank_ = true;
    }
    return true;
  }

  // Before the first blank of several, once something follows them: no line may be blank (RFC 5322 3.2.2).
  // Beside '@' and '.' stands the rest of an address in its obsolete form.
  void find_place(char c) {
    const bool first = !ascii::is_blank(text_.back()) && text_.size() > line_;
    if (ascii::is_blank(c)) {
      const bool in_address = text_.back() == '@' || text_.back() == '.';
      if (first) blank_ = !in_address && syntax_.may_break_at_blank() ? text_.size() : nowhere;
      return;
    }
    if (blank_ != nowhere && c != '@' && c != '.') {
      place_ = blank_;
      needs_blank_ = false;
    }
    blank_ = nowhere;
  }

  bool fold_line() {
    if (place_ == nowhere) return false;
    const std::string_view fold = needs_blank_ ? "\r\n " : "\r\n";
    text_.insert(place_, fold);
    line_ = place_ + 2;
    if (blank_ != nowhere) blank_ += fold.size();
    place_ = nowhere;
    return text_.size() - line_ <= max_line;
  }

  Syntax syntax_;
  std::string text_;
  std::size_t line_ = 0;         // where its last line begins
  std::size_t blank_ = nowhere;  // where blanks begin that may become a place
  std::size_t place_ = nowhere;  // where the line may be broken
  bool needs_blank_ = false;     // there
};

}  // namespace

std::optional<std::string> fitted(std::string field) {
  if (fits(field)) return field;
  return Folding().fold(field);
}

}  // namespace relayd::rewrite
