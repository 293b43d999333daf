#include "rewrite/received.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/date.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t max_name = 255;  // RFC 5321 4.5.3.1.2
constexpr std::size_t usual_field = 320;

// A host name or address literal as it may stand in a field; '?' for what may not.
template <class Text>
void append_name(Text& field, std::string_view name) {
  if (name.empty()) name = "unknown";
  for (const char c : name.substr(0, max_name)) {
    const bool fits = ascii::is_letter(c) || ascii::is_digit(c) ||
                      std::string_view(".-_:[]").find(c) != std::string_view::npos;
    field.append(fits ? std::string_view(&c, 1) : "?");
  }
}

// RFC 5321 4.1.3.
void append_client(std::string& field, std::string_view client) {
  const bool v6 = !client.starts_with("uid:") && client.find(':') != std::string_view::npos;
  const bool address = v6 || (!client.empty() && ascii::is_digit(client.front()));
  field += v6 ? "[IPv6:" : address ? "[" : "";
  append_name(field, client);
  if (address) field += ']';
}

// RFC 3848, RFC 6531 4.3.
void append_protocol(std::string& field, const ReceivedFacts& facts) {
  if (!facts.extended) {
    field += "SMTP";
    return;
  }
  field += facts.smtp_utf8 ? "UTF8SMTP" : "ESMTP";
  if (facts.tls) field += 'S';
  if (facts.authenticated) field += 'A';
}

}  // namespace

std::string received_field(const ReceivedFacts& facts) {
  std::string field;
  field.reserve(usual_field);
  field += "Received: from ";
  append_name(field, facts.helo);
  field += " (";
  append_client(field, facts.client);
  field += ")\r\n\tby ";
  append_name(field, facts.hostname);
  field += " (relayd";
  if (!facts.mark.empty()) field.append(" ").append(facts.mark);
  field += ") with ";
  append_protocol(field, facts);
  field += " id ";
  append_name(field, facts.id);
  if (mail::check_address(facts.recipient, facts.smtp_utf8) == mail::AddressFault::none)
    field.append("\r\n\tfor <").append(facts.recipient).append(">");
  field += ";\r\n\t";
  field += mail::format_date(facts.when);
  return field += "\r\n";
}

std::string masked_received(std::string_view field, std::string_view mark) {
  constexpr std::string_view from = "Received: from ";
  constexpr std::string_view by = "\r\n\tby ";
  constexpr std::string_view program = " (relayd";
  if (!field.starts_with(from)) return {};
  const std::size_t line_end = field.find("\r\n");
  if (line_end == std::string_view::npos || !field.substr(line_end).starts_with(by)) return {};
  const std::string_view rest = field.substr(line_end + by.size());
  std::string_view behind = rest.substr(std::min(rest.find(' '), rest.size()));
  if (!behind.starts_with(program)) return {};
  behind.remove_prefix(program.size());
  if (!mark.empty()) {
    if (!behind.starts_with(' ') || !behind.substr(1).starts_with(mark)) return {};
    behind.remove_prefix(1 + mark.size());
  }
  if (!behind.starts_with(") with ")) return {};
  return std::string("Received: by ").append(rest);
}

mail::MessageIdText own_message_id(std::string_view id, std::string_view hostname) {
  mail::MessageIdText text;
  text.append("<");
  append_name(text, id);
  text.append("@");
  append_name(text, hostname);
  text.append(">");
  return text;
}

std::string missing_fields(const mail::HeaderFacts& header, std::string_view id, std::string_view hostname,
                           std::string_view sender, WallTime when) {
  std::string fields;
  if (!header.has_date) {
    fields += "Date: ";
    fields += mail::format_date(when);
    fields += "\r\n";
  }
  if (!header.has_message_id) {
    fields.append("Message-ID: ").append(own_message_id(id, hostname).view()).append("\r\n");
  }
  if (header.from.empty() && !sender.empty()) fields.append("From: <").append(sender).append(">\r\n");
  if (header.octets == 0) fields += "\r\n";
  return fields;
}

}  // namespace relayd::rewrite
