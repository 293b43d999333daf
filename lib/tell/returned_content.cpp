#include "tell/returned_content.hpp"

#include <fmt/format.h>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"

namespace relayd::tell {

namespace {

Part part_of(std::string_view type, std::string_view encoding, std::string content) {
  Part part{fmt::format("Content-Type: {}\r\n", type), std::move(content)};
  if (!encoding.empty()) part.fields += fmt::format("Content-Transfer-Encoding: {}\r\n", encoding);
  if (!part.content.empty() && !part.content.ends_with("\r\n")) part.content += "\r\n";
  return part;
}

// The whole message, if that is wanted and can be done. A message/rfc822 takes no encoding (RFC 2046 5.2.1):
// one that is not of 7 bits is not returned in whole, since nobody knows what the way back takes. A
// message/global may be encoded (RFC 6533 4.2).
std::optional<Part> whole_message(const ReportFacts& facts, std::string_view header, bool utf8) {
  if (!facts.body || !returns_body(facts.kind, facts.envelope, facts.content)) return std::nullopt;
  if (header.size() + facts.body->size() > most_returned) return std::nullopt;
  if (whole_fields(facts.header, facts.header.size()).size() > header.size()) return std::nullopt;
  std::string message(header);
  if (!message.empty() && !message.ends_with("\r\n")) message += "\r\n";
  message.append("\r\n").append(*facts.body);
  const bool global = facts.envelope.smtp_utf8 && !ascii::all_ascii(header);
  if (!global && is_plain(message, false)) return part_of("message/rfc822", "", std::move(message));
  if (!global) return std::nullopt;
  if (utf8 && is_plain(message, true)) return part_of("message/global", "8bit", std::move(message));
  return part_of("message/global", "quoted-printable", quoted_printable(message));
}

}  // namespace

std::string_view whole_fields(std::string_view header, std::size_t most) {
  std::string_view rest = header;
  while (!rest.empty() && !rest.starts_with("\r\n") && !rest.starts_with('\n')) {
    const std::string_view before = rest;
    mail::take_field(rest);
    if (header.size() - rest.size() > most) return header.substr(0, header.size() - before.size());
  }
  return header.substr(0, header.size() - rest.size());
}

bool returns_body(Reported::Kind kind, const mail::Envelope& envelope, config::Bounce::Content content) {
  // RFC 8689 5: of a message that must travel under TLS nothing but its header is returned.
  return kind == Reported::Kind::failed && content == config::Bounce::Content::full &&
         ascii::equal_ignoring_case(envelope.ret, "FULL") && !envelope.require_tls;
}

Part returned_content(const ReportFacts& facts, bool utf8) {
  const std::string_view header = whole_fields(facts.header, most_returned);
  if (std::optional<Part> whole = whole_message(facts, header, utf8)) return std::move(*whole);
  if (facts.envelope.smtp_utf8 && !ascii::all_ascii(header)) {
    if (utf8 && is_plain(header, true)) return part_of("message/global-headers", "8bit", std::string(header));
    return part_of("message/global-headers", "quoted-printable", quoted_printable(header));
  }
  if (is_plain(header, false)) return part_of("text/rfc822-headers", "", std::string(header));
  return part_of("text/rfc822-headers", "quoted-printable", quoted_printable(header));
}

}  // namespace relayd::tell
