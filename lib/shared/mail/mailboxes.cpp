#include "shared/mail/mailboxes.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::mail {

namespace {

// Length of the quoted string, comment (others may be in it) or domain literal that begins the text; all of
// it when it has no end.
std::size_t enclosed_length(std::string_view text) {
  const char open = text.front();
  const char close = open == '(' ? ')' : open == '[' ? ']' : open;
  std::size_t depth = 1;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == close && --depth == 0)
      return i + 1;
    else if (open == '(' && text[i] == '(')
      ++depth;
  }
  return text.size();
}

// How much of the text is read at once: up to the next octet that may mean something.
std::size_t plain_length(std::string_view text) {
  const auto may_mean = [](char c) {
    return ascii::is_white_space(c) || c == '"' || c == '(' || c == ',' || c == ':' || c == ';' || c == '<' ||
           c == '>' || c == '[';
  };
  if (may_mean(text.front())) return 1;
  return static_cast<std::size_t>(std::find_if(text.begin(), text.end(), may_mean) - text.begin());
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// An encoded word, or a character that readers make an '@' of (compatibility forms, UAX 15).
bool hides_an_address(std::string_view text) {
  constexpr std::string_view fullwidth_at = "\xef\xbc\xa0";
  constexpr std::string_view small_at = "\xef\xb9\xab";
  return contains(text, "=?") || contains(text, fullwidth_at) || contains(text, small_at);
}

std::string readable(std::string_view address) {
  const bool encoded_word = address.starts_with("=?") && address.ends_with("?=");
  const bool valid = !encoded_word && check_address(address, true) == AddressFault::none;
  return valid ? std::string(address) : std::string();
}

// A word with blanks around its dots, without them; empty where that makes no address with a domain of it.
std::string obsolete_form(std::string_view word) {
  std::string plain;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == '"') {
      const std::size_t octets = enclosed_length(word.substr(i));
      plain += word.substr(i, octets);
      i += octets - 1;
      continue;
    }
    const bool before_dot = word[i] == ' ' && i + 1 < word.size() && word[i + 1] == '.';
    const bool behind_dot = word[i] == ' ' && plain.ends_with('.');
    if (!before_dot && !behind_dot) plain += word[i];
  }
  return split(plain).domain.empty() ? std::string() : readable(plain);
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  std::vector<Mailbox> read() {
    for (; at_ < text_.size(); at_ += octets_) {
      const char c = text_[at_];
      const bool literal = c == '[' && word_.ends_with('@');
      const bool encloses = c == '"' || c == '(' || literal;
      octets_ = encloses ? enclosed_length(text_.substr(at_)) : plain_length(text_.substr(at_));
      if (c == '(' || ascii::is_white_space(c))
        gap_ = true;
      else if (bracketed_)
        read_bracketed(c);
      else
        read_plain(c);
    }
    if (bracketed_) word_.clear();  // brackets without an end hold no address
    if (bracketed_)
      add_mailbox(text_.size());
    else
      end_plain();
    return std::move(found_);
  }

 private:
  void read_plain(char c) {
    if (c == ',' || c == ';') {
      end_plain();
      begin_member();
    } else if (c == ':') {
      // What was there is a group's name. An '@' outside of its quotes is a mailbox that something has run
      // into.
      if (finished_) {
        end_plain();
      } else if (split(word_).local_part != word_) {
        word_.clear();
        add_mailbox(at_);
      }
      begin_member();
    } else if (c == '<') {
      if (finished_) end_plain();
      word_.clear();  // a display name
      bracketed_ = true;
      routed_ = false;
    } else {
      add_to_word(c);
    }
  }

  // What stood outside of brackets: an address, or behind them a name. A name with an address in it is what
  // some readers take for the mailbox.
  void end_plain() {
    if (finished_ && !contains(word_, "@") && !hides_an_address(word_)) word_.clear();
    if (word_.empty()) return;
    if (finished_) word_.clear();
    add_mailbox(at_);
  }

  void read_bracketed(char c) {
    if (c == '>') {
      add_mailbox(at_ + 1);
      bracketed_ = false;
      finished_ = true;
    } else if (c == ':' && word_.starts_with('@')) {
      word_.clear();  // a route (RFC 5322 4.4)
      routed_ = true;
    } else {
      add_to_word(c);
    }
  }

  void add_to_word(char c) {
    const bool apart = gap_ && !word_.empty() && !word_.ends_with('@') && c != '@';
    if (apart) word_ += ' ';
    gap_ = false;
    if (word_.empty() && !routed_) word_begin_ = at_;
    word_ += text_.substr(at_, octets_);
    word_end_ = at_ + octets_;
  }

  void begin_member() {
    word_.clear();
    finished_ = false;
    routed_ = false;
    member_ = at_ + 1;
  }

  void add_mailbox(std::size_t end) {
    Mailbox& found = found_.emplace_back();
    found.address = readable(word_);
    if (found.address.empty()) found.obsolete = obsolete_form(word_);
    found.text = ascii::trimmed(text_.substr(member_, end - member_), ascii::white_space);
    found.begin = word_begin_;
    found.end = word_end_;
    word_.clear();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t octets_ = 1;      // of what stands there
  std::size_t member_ = 0;      // where the present member of the list begins
  std::string word_;            // of it, what may be the address; comments are out, space is one blank
  std::size_t word_begin_ = 0;  // of its first octet in the text, or of the route before it
  std::size_t word_end_ = 0;    // behind its last octet in the text
  bool gap_ = false;            // space or a comment stands behind it
  bool bracketed_ = false;      // we are between '<' and '>'
  bool routed_ = false;         // behind a route
  bool finished_ = false;       // its brackets were there: what follows them is no address
  std::vector<Mailbox> found_;
};

}  // namespace

bool may_be_misread(std::string_view address) {
  const std::string_view local_part = split(address).local_part;
  const bool quoted = local_part.starts_with('"');
  return hides_an_address(address) || (quoted && local_part.find_first_of("@<>") != std::string_view::npos);
}

std::vector<Mailbox> mailboxes(std::string_view field_body) {
  return Reader(field_body).read();
}

Result<std::vector<std::string>> mailbox_list(std::string_view field_body) {
  std::vector<std::string> addresses;
  for (Mailbox& mailbox : mailboxes(field_body)) {
    if (mailbox.address.empty())
      return Error{fmt::format("'{}' is no address that can be read", mailbox.text)};
    addresses.push_back(std::move(mailbox.address));
  }
  return addresses;
}

}  // namespace relayd::mail
