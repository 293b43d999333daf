#include "shared/smtp/envelope_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>
#include <vector>

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/smtp/xtext.hpp"

namespace relayd::smtp {

namespace {

constexpr EnhancedCode bad_recipient{5, 1, 3};    // RFC 3463 3.2
constexpr EnhancedCode bad_sender{5, 1, 7};       // RFC 3463 3.2
constexpr EnhancedCode bad_argument{5, 5, 4};     // RFC 3463 3.6
constexpr EnhancedCode needs_smtp_utf8{5, 6, 7};  // RFC 6531 3.5

constexpr std::size_t max_envelope_id = 100;         // RFC 3461 4.4
constexpr std::size_t max_original_recipient = 500;  // RFC 3461 4.2

using Fault = std::optional<Reply>;
using Value = std::optional<std::string_view>;

Reply bad_value(std::string_view keyword) {
  return {501, bad_argument, fmt::format("Bad value of {}", keyword)};
}

std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

// Where the path that begins the text is closed, outside of quotes; npos when it is not.
std::size_t closing_bracket(std::string_view text) {
  bool quoted = false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"')
      quoted = !quoted;
    else if (quoted && text[i] == '\\')
      ++i;
    else if (!quoted && text[i] == '>')
      return i;
  }
  return std::string_view::npos;
}

struct Path {
  std::string_view address;  // between the brackets, without source route
  std::string_view parameters;
};

// "FROM:<@a,@b:user@example.com> SIZE=1" with the keyword "FROM:".
std::optional<Path> read_path(std::string_view arguments, std::string_view keyword) {
  if (!ascii::equal_ignoring_case(arguments.substr(0, keyword.size()), keyword)) return std::nullopt;
  arguments.remove_prefix(keyword.size());
  arguments.remove_prefix(std::min(arguments.find_first_not_of(' '), arguments.size()));
  if (!arguments.starts_with('<')) return std::nullopt;
  const std::size_t end = closing_bracket(arguments);
  if (end == std::string_view::npos) return std::nullopt;
  Path path{arguments.substr(1, end - 1), arguments.substr(end + 1)};
  if (!path.parameters.empty() && path.parameters.front() != ' ') return std::nullopt;
  if (path.address.starts_with('@')) {  // RFC 5321 4.1.1.3: accepted and ignored
    const std::size_t colon = path.address.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    path.address.remove_prefix(colon + 1);
    if (path.address.empty()) return std::nullopt;
  }
  return path;
}

Fault check_path(std::string_view address, bool smtp_utf8, EnhancedCode syntax_code) {
  switch (mail::check_address(address, smtp_utf8)) {
    case mail::AddressFault::none:
      return std::nullopt;
    case mail::AddressFault::syntax:
      return Reply{501, syntax_code, "Bad address syntax"};
    case mail::AddressFault::too_long:
      return Reply{501, syntax_code, "Address too long"};
    case mail::AddressFault::needs_utf8:
      return Reply{553, needs_smtp_utf8, "Address needs SMTPUTF8"};
    case mail::AddressFault::bad_unicode:
      return Reply{553, needs_smtp_utf8, "Address is not clean UTF-8"};
    case mail::AddressFault::bad_domain:
      return Reply{553, syntax_code, "Address has a domain that IDNA does not allow"};
  }
  return std::nullopt;
}

Fault read_size(Mail& mail, Value value) {
  constexpr std::size_t max_digits = 20;  // RFC 1870 4
  if (!value || value->empty() || value->size() > max_digits) return bad_value("SIZE");
  if (!std::all_of(value->begin(), value->end(), ascii::is_digit)) return bad_value("SIZE");
  std::uint64_t size = 0;
  const auto [stop, fault] = std::from_chars(value->data(), value->data() + value->size(), size);
  mail.size = fault == std::errc() ? size : std::numeric_limits<std::uint64_t>::max();
  return std::nullopt;
}

Fault read_body(Mail& mail, Value value) {
  const std::string body = ascii::upper(value.value_or(""));
  mail.eight_bit = body == "8BITMIME";
  if (mail.eight_bit || body == "7BIT") return std::nullopt;
  return Reply{504, bad_argument, "BODY is 7BIT or 8BITMIME here"};
}

Fault read_smtp_utf8(Mail& mail, Value value) {
  mail.smtp_utf8 = true;
  return value ? Fault(bad_value("SMTPUTF8")) : std::nullopt;
}

Fault read_require_tls(Mail& mail, Value value) {
  mail.require_tls = true;
  return value ? Fault(bad_value("REQUIRETLS")) : std::nullopt;
}

Fault read_ret(Mail& mail, Value value) {
  mail.ret = ascii::upper(value.value_or(""));
  return mail.ret == "FULL" || mail.ret == "HDRS" ? std::nullopt : Fault(bad_value("RET"));
}

// RFC 3461 4.2, 4.4: what is decoded stands in reports, which are ASCII.
bool is_ascii_xtext(std::string_view text) {
  const std::optional<std::string> decoded = decode_xtext(text);
  return decoded && ascii::all_ascii(*decoded);
}

Fault read_envelope_id(Mail& mail, Value value) {
  mail.envelope_id = value.value_or("");
  const bool fits = !mail.envelope_id.empty() && mail.envelope_id.size() <= max_envelope_id;
  return fits && is_ascii_xtext(mail.envelope_id) ? std::nullopt : Fault(bad_value("ENVID"));
}

Fault read_auth(Mail& mail, Value value) {
  mail.auth = decode_xtext(value.value_or(""));
  if (mail.auth == "<>")
    mail.auth = "";
  else if (!mail.auth || mail::check_address(*mail.auth, true) != mail::AddressFault::none)
    return bad_value("AUTH");
  return std::nullopt;
}

// "NEVER" alone, or each of the others at most once (RFC 3461 4.1).
Fault read_notify(Rcpt& rcpt, Value value) {
  rcpt.notify = ascii::upper(value.value_or(""));
  if (rcpt.notify == "NEVER") return std::nullopt;
  std::vector<std::string_view> known{"SUCCESS", "FAILURE", "DELAY"};
  std::string_view list = rcpt.notify;
  for (;;) {
    const std::string_view item = list.substr(0, list.find(','));
    if (std::erase(known, item) == 0) return bad_value("NOTIFY");
    if (item.size() == list.size()) return std::nullopt;
    list.remove_prefix(item.size() + 1);
  }
}

// "addr-type;xtext" (RFC 3461 4.2). For the type utf-8 the address may stand there as it is (RFC 6533 3).
Fault read_original_recipient(Rcpt& rcpt, Value value) {
  rcpt.original_recipient = value.value_or("");
  const std::string_view text = rcpt.original_recipient;
  const std::size_t semicolon = text.find(';');
  const std::string_view type = text.substr(0, semicolon);
  const bool typed = semicolon != std::string_view::npos && !type.empty() && type.size() <= 40 &&
                     std::all_of(type.begin(), type.end(), [](char c) {
                       return ascii::is_letter(c) || ascii::is_digit(c) || c == '-';
                     });
  if (!typed || text.size() > max_original_recipient) return bad_value("ORCPT");
  const std::string_view address = text.substr(semicolon + 1);
  const bool unicode = ascii::equal_ignoring_case(type, "utf-8") && !ascii::all_ascii(address);
  const bool sound = unicode ? mail::check_address(address, true) == mail::AddressFault::none
                             : !address.empty() && is_ascii_xtext(address);
  return sound ? std::nullopt : Fault(bad_value("ORCPT"));
}

template <class T>
struct Parameter {
  std::string_view keyword;
  Fault (*read)(T&, Value);
};

constexpr Parameter<Mail> mail_parameters[] = {
    {"SIZE", read_size},         {"BODY", read_body}, {"SMTPUTF8", read_smtp_utf8},     {"RET", read_ret},
    {"ENVID", read_envelope_id}, {"AUTH", read_auth}, {"REQUIRETLS", read_require_tls},
};
constexpr Parameter<Rcpt> rcpt_parameters[] = {
    {"NOTIFY", read_notify},
    {"ORCPT", read_original_recipient},
};

template <class T>
Fault read_parameters(T& target, std::string_view text, std::span<const Parameter<T>> table) {
  std::vector<std::string_view> seen;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    const std::size_t equals = word.find('=');
    const std::string_view keyword = word.substr(0, equals);
    const auto row = std::find_if(table.begin(), table.end(), [keyword](const Parameter<T>& parameter) {
      return ascii::equal_ignoring_case(parameter.keyword, keyword);
    });
    if (row == table.end()) return Reply{555, bad_argument, "Unknown parameter: " + escape(keyword, 80)};
    if (std::find(seen.begin(), seen.end(), row->keyword) != seen.end())
      return Reply{501, bad_argument, fmt::format("{} given twice", row->keyword)};
    seen.push_back(row->keyword);
    const Value value = equals == std::string_view::npos ? Value() : word.substr(equals + 1);
    if (Fault fault = row->read(target, value)) return fault;
  }
  return std::nullopt;
}

std::string safe(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (ascii::is_control(c)) c = '?';
  }
  return result;
}

std::string safe_word(std::string_view text) {
  std::string result = safe(text);
  std::replace(result.begin(), result.end(), ' ', '?');
  return result;
}

// Outside of quotes a bracket would close the path early; no valid address has one there.
std::string safe_path(std::string_view address) {
  std::string path = '<' + safe(address) + '>';
  const auto early = [&path](std::size_t end) { return end < path.size() - 1; };
  for (std::size_t end = closing_bracket(path); early(end); end = closing_bracket(path)) path[end] = '?';
  return path;
}

struct Need {
  bool mail::Envelope::*needed;
  bool Capabilities::*offered;
  Lack lack;
};
constexpr Need needs[] = {
    {&mail::Envelope::require_tls,
     &Capabilities::require_tls,
     {"REQUIRETLS", 550, {5, 7, 30}}},  // RFC 8689 5
    {&mail::Envelope::smtp_utf8, &Capabilities::smtp_utf8, {"SMTPUTF8", 550, needs_smtp_utf8}},
    {&mail::Envelope::eight_bit, &Capabilities::eight_bit_mime, {"8BITMIME", 554, {5, 6, 3}}},  // RFC 6152 3
};

}  // namespace

std::optional<Lack> find_lack(const mail::Envelope& envelope, const Capabilities& capabilities) {
  for (const Need& need : needs)
    if (envelope.*need.needed && !(capabilities.*need.offered)) return need.lack;
  return std::nullopt;
}

Command parse_mail(std::string_view arguments) {
  const auto path = read_path(arguments, "FROM:");
  if (!path) return Rejected{{501, bad_argument, "Syntax: MAIL FROM:<address>"}};
  Mail mail;
  const Fault bad_parameter = read_parameters<Mail>(mail, path->parameters, mail_parameters);
  if (bad_parameter) return Rejected{*bad_parameter};
  mail.reverse_path = path->address;
  if (mail.reverse_path.empty()) return mail;
  if (const Fault fault = check_path(path->address, mail.smtp_utf8, bad_sender)) return Rejected{*fault};
  return mail;
}

Command parse_rcpt(std::string_view arguments, bool smtp_utf8) {
  const auto path = read_path(arguments, "TO:");
  if (!path) return Rejected{{501, bad_argument, "Syntax: RCPT TO:<address>"}};
  if (const Fault fault = check_path(path->address, smtp_utf8, bad_recipient)) return Rejected{*fault};
  Rcpt rcpt;
  rcpt.forward_path = path->address;
  const Fault bad_parameter = read_parameters<Rcpt>(rcpt, path->parameters, rcpt_parameters);
  if (bad_parameter) return Rejected{*bad_parameter};
  return rcpt;
}

std::string mail_from(const mail::Envelope& envelope, std::uint64_t size, const Capabilities& capabilities) {
  std::string command = "MAIL FROM:" + safe_path(envelope.sender);
  if (capabilities.size) command += fmt::format(" SIZE={}", size);
  if (capabilities.eight_bit_mime && envelope.eight_bit) command += " BODY=8BITMIME";
  if (capabilities.smtp_utf8 && envelope.smtp_utf8) command += " SMTPUTF8";
  if (capabilities.require_tls && envelope.require_tls) command += " REQUIRETLS";
  if (capabilities.dsn && !envelope.ret.empty()) command += " RET=" + safe_word(envelope.ret);
  if (capabilities.dsn && !envelope.envelope_id.empty())
    command += " ENVID=" + safe_word(envelope.envelope_id);
  return command += "\r\n";
}

std::string rcpt_to(const mail::Recipient& recipient, const Capabilities& capabilities) {
  std::string command = "RCPT TO:" + safe_path(recipient.address);
  if (capabilities.dsn && !recipient.notify.empty()) command += " NOTIFY=" + safe_word(recipient.notify);
  if (capabilities.dsn && !recipient.original_recipient.empty())
    command += " ORCPT=" + safe_word(recipient.original_recipient);
  return command += "\r\n";
}

}  // namespace relayd::smtp
