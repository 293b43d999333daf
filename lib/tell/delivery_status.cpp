#include "tell/delivery_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/mail/date.hpp"
#include "shared/smtp/xtext.hpp"

namespace relayd::tell {

namespace {

using smtp::EnhancedCode;

constexpr std::size_t most_of_reply = 4000;

// A number of up to three digits without a zero in front (RFC 3464 2.3.4).
std::optional<std::uint16_t> take_number(std::string_view& text) {
  std::uint16_t value = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && ascii::is_digit(text[digits]); ++digits) {
    if (digits == 3 || (digits == 1 && value == 0)) return std::nullopt;
    value = static_cast<std::uint16_t>(value * 10 + (text[digits] - '0'));
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// The code at the beginning of a reply's text; nothing when it is not well-formed.
std::optional<EnhancedCode> leading_code(const ReportedRecipient& one) {
  std::string_view text = one.text;
  // What a rule of ours rejects has its whole reply there.
  const bool has_reply = one.code == 0 && text.size() > 4 && text[3] == ' ' &&
                         std::ranges::all_of(text.substr(0, 3), ascii::is_digit);
  if (has_reply) text.remove_prefix(4);
  const auto status_class = take_number(text);
  if (!status_class || !take(text, '.')) return std::nullopt;
  const auto subject = take_number(text);
  if (!subject || !take(text, '.')) return std::nullopt;
  const auto detail = take_number(text);
  const bool ends = text.empty() || text.front() == ' ' || text.front() == '\n' || text.front() == '\\';
  if (!detail || !ends) return std::nullopt;
  return EnhancedCode{*status_class, *subject, *detail};
}

// RFC 3463 3, for what was no reply.
EnhancedCode status_without_reply(std::uint16_t status_class, const ReportedRecipient& one) {
  constexpr EnhancedCode other{0, 0, 0}, no_answer{0, 4, 1}, too_large{0, 3, 4}, no_security{0, 7, 0},
      expired{0, 4, 7};
  EnhancedCode code = one.expired ? expired : other;
  if (!one.expired && one.code == 0 && one.reply_class == smtp::ReplyClass::connect) code = no_answer;
  if (!one.expired && one.code == 0 && one.reply_class == smtp::ReplyClass::size) code = too_large;
  if (!one.expired && one.code == 0 && one.reply_class == smtp::ReplyClass::tls) code = no_security;
  code.status_class = status_class;
  return code;
}

std::uint16_t class_of(Reported::Kind kind, const ReportedRecipient& one) {
  switch (kind) {
    case Reported::Kind::failed:
      return one.expired || one.code / 100 == 4 ? 4 : 5;
    case Reported::Kind::delayed:
      return 4;
    case Reported::Kind::relayed:
    case Reported::Kind::delivered:
    case Reported::Kind::expanded:
      return 2;
  }
  return 5;
}

bool is_literal(std::string_view host) {
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

// RFC 3464 2.2.2, RFC 3461 6.3b.
std::string typed_host(const std::string& host) {
  const bool full = host.starts_with('[') || host.find('.') != std::string::npos;
  return (full ? "dns; " : "x-local-hostname; ") + host;
}

void append_field(std::string& content, std::string_view name, std::string_view value) {
  content.append(name).append(": ");
  append_whole(content, value);
  content += "\r\n";
}

void append_date(std::string& content, std::string_view name, WallTime when) {
  append_field(content, name, mail::format_date(when));
}

std::string decoded(std::string_view xtext) {
  std::string text = smtp::decode_xtext(xtext).value_or(std::string(xtext));
  return printable(text);
}

// Its type and its value as the client gave them; in ASCII, unless UTF-8 may stand there.
std::string original_recipient(std::string_view parameter, bool utf8) {
  const std::size_t semicolon = std::min(parameter.find(';'), parameter.size());
  const std::string type = printable(parameter.substr(0, semicolon));
  const std::string_view value = parameter.substr(std::min(semicolon + 1, parameter.size()));
  const std::string text = smtp::decode_xtext(value).value_or(std::string(value));
  if (ascii::all_ascii(text)) return type + "; " + printable(text);
  if (utf8 && is_clean_utf8(text)) return "utf-8; " + text;
  return "utf-8; " + smtp::encode_utf8_xtext(text);
}

void append_diagnostic(std::string& content, const ReportedRecipient& one) {
  const std::vector<std::string> lines = reply_lines(one);
  if (lines.empty()) return;
  content += one.code == 0 ? "Diagnostic-Code: x-relayd;" : "Diagnostic-Code: smtp;";
  // RFC 3461 9.2: each further line behind a blank.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    content += i == 0 ? " " : "\r\n ";
    append_wrapped(content, lines[i], " ");
  }
  content += "\r\n";
}

// RFC 3464 2.3.
void append_recipient(std::string& content, const ReportFacts& facts, const ReportedRecipient& one,
                      bool utf8) {
  const mail::Recipient& recipient = recipient_of(facts, one);
  content += "\r\n";
  if (!recipient.original_recipient.empty())
    append_field(content, "Original-Recipient", original_recipient(recipient.original_recipient, utf8));
  append_field(content, "Final-Recipient", typed_address(recipient.address, utf8));
  const bool of_list = facts.kind == Reported::Kind::expanded && facts.envelope.list_sender;
  append_field(content, "Action", of_list ? "delivered" : word_for(facts.kind));
  append_field(content, "Status", smtp::to_string(status_of(facts.kind, one)));
  if (one.code != 0 && !one.host.empty())
    append_field(content, "Remote-MTA", typed_host(host_name(one.host)));
  append_diagnostic(content, one);
  if (one.last_attempt != WallTime{}) append_date(content, "Last-Attempt-Date", one.last_attempt);
  if (facts.kind == Reported::Kind::delayed && facts.retry_until)
    append_date(content, "Will-Retry-Until", *facts.retry_until);
}

}  // namespace

const mail::Recipient& recipient_of(const ReportFacts& facts, const ReportedRecipient& one) {
  static const mail::Recipient nobody;
  const auto& all =
      facts.kind == Reported::Kind::expanded ? facts.envelope.expanded : facts.envelope.recipients;
  return one.recipient < all.size() ? all[one.recipient] : nobody;
}

EnhancedCode status_of(Reported::Kind kind, const ReportedRecipient& one) {
  const std::uint16_t status_class = class_of(kind, one);
  const std::optional<EnhancedCode> code = leading_code(one);
  const bool of_reply = one.code == 0 || one.code / 100 == status_class;
  if (code && code->status_class == status_class && of_reply) return *code;
  return status_without_reply(status_class, one);
}

std::string host_name(std::string_view host) {
  if (host.starts_with('[')) {
    const std::string_view inside = host.substr(1, std::min(host.find(']'), host.size()) - 1);
    const bool v6 = inside.find(':') != std::string_view::npos && !inside.starts_with("IPv6:");
    return printable(fmt::format("[{}{}]", v6 ? "IPv6:" : "", inside));
  }
  const std::string_view name = host.substr(0, host.rfind(':'));
  return printable(is_literal(name) ? fmt::format("[{}]", name) : std::string(name));
}

std::vector<std::string> reply_lines(const ReportedRecipient& one) {
  std::vector<std::string> lines = printable_lines(one.text, most_of_reply);
  if (one.code == 0) return lines;
  if (lines.empty()) return {std::to_string(one.code)};
  for (std::size_t i = 0; i < lines.size(); ++i)
    lines[i] = fmt::format("{}{}{}", one.code, i + 1 < lines.size() ? '-' : ' ', lines[i]);
  return lines;
}

bool is_global(const Part& status) {
  return !ascii::all_ascii(status.content);
}

Part delivery_status(const ReportFacts& facts, bool utf8) {
  Part part;
  append_field(part.content, "Reporting-MTA", typed_host(printable(facts.hostname)));
  if (!facts.envelope.envelope_id.empty())
    append_field(part.content, "Original-Envelope-Id", decoded(facts.envelope.envelope_id));
  append_date(part.content, "Arrival-Date", facts.arrived);
  append_field(part.content, "X-Relayd-Queue-Id", printable(facts.about));
  for (const ReportedRecipient& one : facts.recipients) append_recipient(part.content, facts, one, utf8);
  part.fields = is_global(part)
                    ? "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: 8bit\r\n"
                    : "Content-Type: message/delivery-status\r\n";
  return part;
}

}  // namespace relayd::tell
