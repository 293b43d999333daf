#include "tell/report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/date.hpp"
#include "shared/mail/encoded_words.hpp"
#include "shared/mail/field.hpp"
#include "shared/mail/utf8.hpp"
#include "tell/delivery_status.hpp"
#include "tell/obligation.hpp"
#include "tell/report_lines.hpp"
#include "tell/report_text.hpp"
#include "tell/returned_content.hpp"

namespace relayd::tell {

namespace {

constexpr std::size_t longest_subject = 120;     // octets of the message's own
constexpr std::size_t longest_message_id = 250;  // octets

std::string_view subject_of(Reported::Kind kind) {
  switch (kind) {
    case Reported::Kind::failed:
      return "Undelivered";
    case Reported::Kind::delayed:
      return "Delayed";
    case Reported::Kind::relayed:
      return "Handed on";
    case Reported::Kind::delivered:
      return "Delivered";
    case Reported::Kind::expanded:
      return "Taken";
  }
  return {};
}

// What stands between '<' and '>' in a field of ours. No address of SMTP is as long as to be cut.
std::string bracketed(std::string_view address, bool utf8) {
  constexpr std::size_t longest = 900;
  const bool unicode = utf8 && address.size() <= longest && is_clean_utf8(address);
  std::string clean(address.substr(0, longest));
  for (char& c : clean)
    if (ascii::is_control(c) || (!ascii::is_ascii(c) && !unicode)) c = '?';
  return "<" + clean + ">";
}

// Text for a person in one line: no controls, each run of blanks as one, cut at a character.
std::string cleaned(std::string_view text, std::size_t most) {
  std::string result;
  while (!text.empty()) {
    const auto code_point = mail::first_code_point(text);
    const std::size_t size = code_point ? code_point->octets : 1;
    if (result.size() + size > most) return result + "...";
    if (!code_point)
      result += '?';
    else if (!mail::is_invisible_control(code_point->value))
      result += text.substr(0, size);
    text.remove_prefix(size);
  }
  return result;
}

// As a field of its own, encoded where it has to be, and where a reader would take it for encoded.
std::string subject_field(std::string_view text) {
  if (text.find("=?") == std::string_view::npos) return mail::unstructured_field("Subject", text, false);
  std::string field = "Subject:";
  mail::append_folded(field, mail::encode_words(text), true);
  return field += "\r\n";
}

std::string subject_of(const ReportFacts& facts) {
  std::string own;
  bool found = false;
  mail::for_each_field(facts.header, [&](const mail::Field& field) {
    if (found || !field.is("Subject")) return;
    found = true;
    own = cleaned(mail::beginning_of_text(field.body, 2 * longest_subject), longest_subject);
  });
  own = ascii::trimmed(own, ascii::blanks);
  return subject_field(fmt::format("{}: {}", subject_of(facts.kind), own.empty() ? "your message" : own));
}

// RFC 5322 3.6.4, as it is mostly written: no blanks, no quotes, one '@'.
bool is_message_id(std::string_view id) {
  if (id.size() < 5 || id.size() > longest_message_id || id.front() != '<' || id.back() != '>') return false;
  id = id.substr(1, id.size() - 2);
  const std::size_t at = id.find('@');
  if (at == 0 || at == std::string_view::npos || at + 1 == id.size()) return false;
  return id.find('@', at + 1) == std::string_view::npos && std::ranges::all_of(id, [](char c) {
           return c > ' ' && c <= '~' && std::string_view("<>(),;\"\\").find(c) == std::string_view::npos;
         });
}

// RFC 3834 3.1.6. Empty: the message has none, several, or none that is one.
std::string references(std::string_view header) {
  std::string_view id;
  std::size_t count = 0;
  mail::for_each_field(header, [&](const mail::Field& field) {
    if (!field.is("Message-ID")) return;
    ++count;
    id = ascii::trimmed(field.body, ascii::white_space);
  });
  if (count != 1 || !is_message_id(id)) return {};
  std::string fields;
  for (const std::string_view name : {"In-Reply-To", "References"})
    fields += fmt::format("{}: {}\r\n", name, id);
  return fields;
}

// The fields that all our reports begin with (RFC 3464 2, RFC 3834 5.2).
std::string first_fields(std::string_view from, std::span<const std::string> to, const std::string& subject,
                         std::string_view id, std::string_view hostname, WallTime now, bool utf8) {
  std::string fields = "From: Mail Delivery System";
  const std::string sender = bracketed(from, utf8);
  fields += fields.size() + 1 + sender.size() > 78 ? "\r\n " : " ";
  fields += sender + "\r\nTo: ";
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (i > 0) fields += ",\r\n ";
    fields += bracketed(to[i], utf8);
  }
  fields += "\r\n" + subject;
  fields += fmt::format("Date: {}\r\nMessage-ID: <{}.report@{}>\r\n", mail::format_date(now), printable(id),
                        printable(hostname));
  return fields;
}

constexpr std::string_view marks = "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";

// 128 bits that nobody could guess. Should they stand in a part all the same, others do.
std::string boundary_for(std::array<std::uint64_t, 2> random, std::span<const Part> parts) {
  for (;; ++random[1]) {
    std::string boundary = fmt::format("=_{:016x}{:016x}", random[0], random[1]);
    const bool stands_there = std::ranges::any_of(
        parts, [&](const Part& part) { return part.content.find(boundary) != std::string::npos; });
    if (!stands_there) return boundary;
  }
}

std::string multipart(std::string_view type, std::array<std::uint64_t, 2> random,
                      std::span<const Part> parts) {
  const std::string boundary = boundary_for(random, parts);
  std::string text = fmt::format(
      "Content-Type: multipart/report; report-type={};\r\n boundary=\"{}\"\r\n\r\n", type, boundary);
  for (const Part& part : parts)
    text.append("--")
        .append(boundary)
        .append("\r\n")
        .append(part.fields)
        .append("\r\n")
        .append(part.content)
        .append("\r\n");
  return text.append("--").append(boundary).append("--\r\n");
}

mail::Envelope envelope_for(std::string_view from, std::span<const std::string> to) {
  mail::Envelope envelope;
  envelope.routing_sender = from;
  for (const std::string& address : to) envelope.recipients.push_back({address, "NEVER", ""});
  return envelope;
}

// Whether somebody is written to who has an address beyond ASCII: his way takes SMTPUTF8, or no report at
// all. All others get one of 7 bits, which every way takes.
bool needs_utf8(std::span<const std::string> to) {
  return !std::ranges::all_of(to, [](const std::string& address) { return ascii::all_ascii(address); });
}

// Whom the header names: the sender alone if he is among them, for he need not learn who hears of it, too.
std::span<const std::string> named(const ReportFacts& facts) {
  const bool to_sender = !facts.to.empty() && facts.to.front() == without_route(facts.envelope.sender);
  return to_sender ? facts.to.first(1) : facts.to;
}

mail::ReportOf report_of(const ReportFacts& facts) {
  mail::ReportOf about;
  about.message = facts.about;
  about.expanded = facts.kind == Reported::Kind::expanded;
  if (facts.kind == Reported::Kind::delayed) about.delay = static_cast<std::uint32_t>(facts.delay.count());
  if (!about.expanded)
    for (const ReportedRecipient& one : facts.recipients) about.recipients.push_back(one.recipient);
  return about;
}

}  // namespace

Report compose(const ReportFacts& facts) {
  const bool utf8 = needs_utf8(facts.to);
  const Part parts[] = {report_text(facts, utf8), delivery_status(facts, utf8),
                        returned_content(facts, utf8)};
  Report report{envelope_for(facts.from, facts.to), {}};
  report.envelope.require_tls = facts.envelope.require_tls;
  report.envelope.smtp_utf8 = report.envelope.eight_bit = utf8;
  report.envelope.report = report_of(facts);
  report.content =
      first_fields(facts.from, named(facts), subject_of(facts), facts.id, facts.hostname, facts.now, utf8);
  report.content += references(facts.header);
  report.content += marks;
  if (utf8) report.content += "Content-Transfer-Encoding: 8bit\r\n";
  report.content +=
      multipart(is_global(parts[1]) ? "global-delivery-status" : "delivery-status", facts.random, parts);
  return report;
}

Report compose_summary(const SummaryFacts& facts) {
  constexpr std::size_t most_reasons = 30;
  constexpr std::size_t longest_reason = 200;
  std::vector<const Silenced*> reasons;
  std::uint64_t total = 0;
  for (const Silenced& one : facts.reasons) {
    reasons.push_back(&one);
    total += one.count;
  }
  std::ranges::stable_sort(reasons, std::ranges::greater{}, &Silenced::count);

  const bool utf8 = needs_utf8(facts.to);
  Report report{envelope_for(facts.from, facts.to), {}};
  report.envelope.smtp_utf8 = report.envelope.eight_bit = utf8;
  report.envelope.report.emplace();
  const std::string subject = subject_field(fmt::format("{} reports to senders were not sent", total));
  report.content = first_fields(facts.from, facts.to, subject, facts.id, facts.hostname, facts.now, utf8);
  report.content.append(marks).append("Content-Type: text/plain; charset=us-ascii\r\n\r\n");
  std::string& text = report.content;
  const auto paragraph = [&text](const std::string& words) {
    append_wrapped(text, words, "");
    text += "\r\n\r\n";
  };
  paragraph(fmt::format("This is the mail relay {}.", printable(facts.hostname)));
  paragraph(fmt::format(
      "From {} to {} it owed more reports to senders than `bounce.limit` allows ({}). {} of them were not "
      "sent. Their reasons:",
      mail::format_date(facts.since), mail::format_date(facts.now), printable(facts.limit), total));
  for (std::size_t i = 0; i < reasons.size() && i < most_reasons; ++i) {
    text += fmt::format("{:>10}  ", reasons[i]->count);
    append_wrapped(text, printable(reasons[i]->reason.substr(0, longest_reason)), "            ");
    text += "\r\n";
  }
  if (reasons.size() > most_reasons)
    text += fmt::format("            ... and {} more reasons\r\n", reasons.size() - most_reasons);
  text += "\r\n";
  paragraph("The log has what became of each message.");
  return report;
}

Report compose_notice(const NoticeFacts& facts) {
  const bool utf8 = needs_utf8(facts.to);
  Report report{envelope_for(facts.from, facts.to), {}};
  report.envelope.sender = facts.from;
  report.envelope.smtp_utf8 = report.envelope.eight_bit = utf8;
  report.envelope.report.emplace();
  const std::string subject = subject_field(printable(facts.subject));
  report.content = first_fields(facts.from, facts.to, subject, facts.id, facts.hostname, facts.now, utf8);
  report.content +=
      "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"  // RFC 3834 5
      "Content-Type: text/plain; charset=us-ascii\r\n\r\n";
  append_wrapped(report.content, fmt::format("This is the mail relay {}.", printable(facts.hostname)), "");
  for (const std::string& paragraph : facts.paragraphs) {
    report.content += "\r\n\r\n";
    append_wrapped(report.content, printable(paragraph), "");
  }
  report.content += "\r\n";
  return report;
}

}  // namespace relayd::tell
