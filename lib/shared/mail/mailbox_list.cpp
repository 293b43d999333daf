#include "shared/mail/mailbox_list.hpp"

#include <fmt/format.h>

#include "shared/mail/header.hpp"

namespace relayd::mail {

namespace {

// Reads over a list; knows at each octet whether it is text or within quotes, a comment or brackets.
class Context {
 public:
  // The octet is text of the list itself, where ',' ':' and ';' have their meaning.
  bool read(char c) {
    if (escaped_) return escaped_ = false;
    if (c == '\\' && (quoted_ || comments_ > 0)) {
      escaped_ = true;
    } else if (quoted_) {
      quoted_ = c != '"';
    } else if (comments_ > 0) {
      comments_ += c == '(' ? 1 : c == ')' ? -1 : 0;
    } else if (c == '"') {
      quoted_ = true;
    } else if (c == '(') {
      comments_ = 1;
    } else if (bracketed_) {
      bracketed_ = c != '>';
    } else {
      bracketed_ = c == '<';
      return !bracketed_;
    }
    return false;
  }
  bool in_comment() const { return comments_ > 0; }

 private:
  bool escaped_ = false;
  bool quoted_ = false;
  bool bracketed_ = false;
  int comments_ = 0;
};

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

}  // namespace

Result<std::vector<std::string>> mailbox_list(std::string_view field_body) {
  std::vector<std::string> found;
  Context context;
  std::size_t begin = 0;
  bool blank = true;  // nothing but space, comments and a group's name since `begin`
  for (std::size_t i = 0; i <= field_body.size(); ++i) {
    const char c = i < field_body.size() ? field_body[i] : ',';
    const bool was_comment = context.in_comment();
    const bool plain = i == field_body.size() || context.read(c);
    if (plain && c == ':') {
      blank = true;
    } else if (plain && (c == ',' || c == ';')) {
      const std::string_view member = field_body.substr(begin, i - begin);
      std::string address = blank ? std::string() : first_mailbox(member);
      if (!blank && address.empty())
        return Error{fmt::format("'{}' is no address that can be read", trimmed(member))};
      if (!blank) found.push_back(std::move(address));
      begin = i + 1;
      blank = true;
    } else if (c != ' ' && c != '\t' && !was_comment && !context.in_comment()) {
      blank = false;
    }
  }
  return found;
}

}  // namespace relayd::mail
