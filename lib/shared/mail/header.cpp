#include "shared/mail/header.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::mail {

namespace {

// Of a longer line the rest is not looked at, nor of From fields that are longer together. RFC 5322 2.1.1 has
// 998 octets for a line.
constexpr std::size_t max_line = 8 * 1024;

// The field name of a line, or nothing when it is no field (RFC 5322 2.2; space before the colon as
// in 4.5.8).
std::string_view field_name(std::string_view line) {
  const std::size_t colon = line.find(':');
  const std::string_view name = ascii::trimmed(line.substr(0, colon), ascii::blanks);
  const bool valid = colon != std::string_view::npos && !ascii::is_blank(line.front()) &&
                     std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return valid ? name : std::string_view();
}

}  // namespace

// Blanks are where the field was folded, or are no part of the id.
void MessageIdText::append(std::string_view text) {
  for (const char c : text)
    if (!ascii::is_blank(c) && size_ < text_.size()) text_[size_++] = c;
}

std::string_view MessageIdText::view() const {
  const std::string_view all(text_.data(), size_);
  const std::size_t begin = all.find('<');
  if (begin == std::string_view::npos) return all;
  return all.substr(begin, std::min(all.find('>', begin), all.size()) + 1 - begin);
}

bool is_mailbox_separator(std::string_view line) {
  if (line.starts_with('>')) line.remove_prefix(1);
  return line.starts_with("From ") && field_name(line).empty();
}

void HeaderLines::text(std::string_view piece) {
  const bool known = !line_.empty() && (ascii::is_blank(line_.front()) || line_.ends_with(':'));
  if (known || piece.empty()) return;
  const std::size_t end = std::min(piece.find(':'), piece.size() - 1) + 1;
  line_ += piece.substr(0, std::min(end, max_line - std::min(max_line, line_.size())));
  // Asked again at each CR, it must not be looked for again.
  in_field_ = (field_above_ && ascii::is_blank(line_.front())) || !field_name(line_).empty();
}

void HeaderLines::end_line() {
  const bool separator = first_ && is_mailbox_separator(line_);
  over_ = !separator && !in_field_;
  field_above_ = field_above_ || !separator;
  first_ = false;
  in_field_ = false;
  line_.clear();
}

void HeaderScanner::feed(std::string_view bytes) {
  while (!done_ && !bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t octets = std::min(end, bytes.size() - 1) + 1;
    line_ += bytes.substr(0, std::min(octets, max_line - line_.size()));
    line_octets_ += octets;
    bytes.remove_prefix(octets);
    if (end == std::string_view::npos) return;
    std::string_view line = line_;
    if (line.ends_with('\n')) line.remove_suffix(1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    read_line(line);
    line_.clear();
    line_octets_ = 0;
  }
}

void HeaderScanner::read_line(std::string_view line) {
  const bool mailbox_separator = facts_.octets == 0 && is_mailbox_separator(line);
  if (line.empty()) {
    facts_.octets += line_octets_;
    return finish(true);
  }
  if (ascii::is_blank(line.front()) && field_ != Field::none) {
    if (field_ == Field::from) continue_from(line);
    if (field_ == Field::received) look_for_mark(line);
    if (field_ == Field::message_id) facts_.message_id.append(line);
  } else if (!mailbox_separator) {
    const std::string_view name = field_name(line);
    if (name.empty()) return finish(false);
    end_field();
    begin_field(name, line.substr(line.find(':') + 1));
  }
  facts_.octets += line_octets_;
}

void HeaderScanner::begin_field(std::string_view name, std::string_view value) {
  const auto is = [name](std::string_view other) { return ascii::equal_ignoring_case(name, other); };
  field_ = Field::other;
  ++facts_.fields;
  if (is("Received")) {
    field_ = Field::received;
    ++facts_.received;
    mark_seen_ = false;
    look_for_mark(value);
  } else if (is("From")) {
    field_ = Field::from;
    from_.clear();
    continue_from(value);
  } else if (is("Date")) {
    facts_.has_date = true;
  } else if (is("Message-ID")) {
    if (!facts_.has_message_id) field_ = Field::message_id;
    if (!facts_.has_message_id) facts_.message_id.append(value);
    facts_.has_message_id = true;
  }
}

// Programs fold a field anew, but not inside a word. A field counts once, whatever a client wrote into it.
void HeaderScanner::look_for_mark(std::string_view line) {
  if (mark_seen_ || mark_.empty() || line.find(mark_) == std::string_view::npos) return;
  mark_seen_ = true;
  ++facts_.marked;
}

void HeaderScanner::continue_from(std::string_view line) {
  const std::string_view taken = line.substr(0, max_line - from_octets_);
  if (taken.size() < line.size() || line_octets_ > line_.size()) facts_.from_whole = false;
  from_ += taken;
  from_octets_ += taken.size();
}

void HeaderScanner::end_field() {
  if (field_ != Field::from) return;
  std::vector<Mailbox> found = mailboxes(from_);
  if (found.empty()) found.emplace_back();
  for (Mailbox& mailbox : found) facts_.from.push_back(std::move(mailbox.address));
}

void HeaderScanner::end() {
  if (!done_) finish(false);
}

void HeaderScanner::finish(bool separated) {
  end_field();
  if (!separated && facts_.fields == 0) facts_.octets = 0;  // what stood above no field is body
  facts_.separated = separated;
  done_ = true;
}

}  // namespace relayd::mail
