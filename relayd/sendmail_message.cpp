#include "sendmail_message.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::command {

// --- lines ---

void SendmailInput::end_line(std::string& out) {
  returns_ = 0;
  if (state_ == State::dot) {
    state_ = State::ended;
    return;
  }
  out += "\r\n";
  state_ = State::line_start;
}

// Something else than a line's end is next.
void SendmailInput::begin_text(std::string& out) {
  if (state_ == State::dot) out += '.';
  out.append(returns_, '\r');
  returns_ = 0;
  state_ = State::text;
}

std::size_t SendmailInput::feed(std::string_view bytes, std::string& out) {
  const std::size_t whole = bytes.size();
  while (!bytes.empty() && state_ != State::ended) {
    const char c = bytes.front();
    if (c == '\n') {
      end_line(out);
    } else if (c == '\r') {
      ++returns_;
    } else if (c == '.' && state_ == State::line_start && returns_ == 0 && dot_ends_) {
      state_ = State::dot;
    } else {
      begin_text(out);
      const std::size_t length = std::min(bytes.find_first_of("\r\n"), bytes.size());
      out += bytes.substr(0, length);
      bytes.remove_prefix(length);
      continue;
    }
    bytes.remove_prefix(1);
  }
  return whole - bytes.size();
}

void SendmailInput::finish(std::string& out) {
  if (returns_ > 0 || state_ == State::dot || state_ == State::text) end_line(out);
  state_ = State::ended;
}

// --- header ---

namespace {

using mail::Field;

constexpr std::size_t longest_encoded_word = 75;  // RFC 2047 2

// The block with a space for each CR that ends no line; no octet more or less.
std::string without_bare_returns(std::string_view block) {
  std::string result(block);
  for (std::size_t at = result.find('\r'); at != std::string::npos; at = result.find('\r', at + 1))
    if (at + 1 == result.size() || result[at + 1] != '\n') result[at] = ' ';
  return result;
}

std::string unfolded(std::string_view body) {
  std::string result(body);
  std::erase_if(result, [](char c) { return c == '\r' || c == '\n'; });
  return result;
}

bool is_blind(const Field& field) {
  return field.is("Bcc") || field.is("Resent-Bcc");
}

bool names_recipients(const Field& field) {
  return field.is("To") || field.is("Cc") || field.is("Bcc");
}

bool names_resent_recipients(const Field& field) {
  return field.is("Resent-To") || field.is("Resent-Cc") || field.is("Resent-Bcc");
}

Result<std::vector<std::string>> recipients_of(const std::vector<Field>& fields) {
  const bool resent = std::ranges::any_of(fields, names_resent_recipients);
  std::vector<std::string> recipients;
  for (const Field& field : fields) {
    if (!(resent ? names_resent_recipients(field) : names_recipients(field))) continue;
    Result<std::vector<std::string>> found = mail::mailbox_list(unfolded(field.body));
    if (!found) return Error{fmt::format("in the field {}: {}", field.name, found.error())};
    recipients.insert(recipients.end(), found->begin(), found->end());
  }
  return recipients;
}

bool is_plain_word(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) || c == ' ' || c == '-' || c == '_';
}

std::string encoded_word(std::string_view name) {
  std::string word = "=?utf-8?q?";
  for (const char c : name) {
    if (c == ' ')
      word += '_';
    else if (ascii::is_letter(c) || ascii::is_digit(c))
      word += c;
    else
      word += fmt::format("={:02X}", static_cast<unsigned char>(c));
  }
  return word += "?=";
}

std::string quoted(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result += '"';
}

}  // namespace

Result<SendmailHeader> complete_header(std::string_view block, const mail::HeaderFacts& facts,
                                       std::string_view from, bool take_recipients) {
  const std::string clean = without_bare_returns(block.substr(0, facts.octets));
  block = clean;
  if (facts.separated) block.remove_suffix(2);
  std::vector<Field> fields;
  while (!block.empty()) fields.push_back(mail::take_field(block));
  if (!fields.empty() && mail::is_mailbox_separator(fields.front().whole)) fields.erase(fields.begin());

  SendmailHeader header;
  if (take_recipients) {
    Result<std::vector<std::string>> recipients = recipients_of(fields);
    if (!recipients) return Error{recipients.error()};
    header.recipients = std::move(*recipients);
  }
  for (const Field& field : fields)
    if (!take_recipients || !is_blind(field)) header.fields += field.whole;
  if (facts.from.empty()) header.fields += fmt::format("From: {}\r\n", from);
  header.fields += "\r\n";
  return header;
}

std::string mailbox_with_name(std::string_view name, std::string_view address) {
  std::string clean(name);
  std::ranges::replace_if(clean, ascii::is_control, ' ');
  if (clean.find_first_not_of(' ') == std::string::npos) return std::string(address);
  const bool plain = std::ranges::all_of(clean, is_plain_word);
  std::string shown = plain ? clean : ascii::all_ascii(clean) ? quoted(clean) : encoded_word(clean);
  if (shown.size() > longest_encoded_word) return std::string(address);
  return fmt::format("{} <{}>", shown, address);
}

}  // namespace relayd::command
