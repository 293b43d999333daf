#include "tell/report_text.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "shared/base/ascii.hpp"
#include "shared/mail/date.hpp"
#include "shared/smtp/xtext.hpp"
#include "tell/delivery_status.hpp"

namespace relayd::tell {

namespace {

using smtp::ReplyClass;

constexpr std::size_t most_named = 50;       // recipients; the other part has all
constexpr std::size_t most_of_reply = 1000;  // octets
constexpr std::string_view indent = "    ";

struct Words {
  std::string_view why;
  std::string_view advice;  // of a failure; empty: none
};

constexpr Words unknown_address{
    "The address does not exist at the receiving side, or takes no mail.",
    "Check the address for a mistake. If it is right, ask its owner in another way."};
constexpr Words full_mailbox{"The mailbox is full.", "Try again later, or reach its owner in another way."};
constexpr Words too_large{"The message is too large for the receiving side.",
                          "Send it without attachments, or in several parts."};
constexpr Words refused_content{
    "The receiving side refused the message because of its content or by a rule of its own.",
    "Its answer may say what to change. Else ask the owner of the address, or who runs the mail there."};
constexpr Words refused_sender{"The server does not send mail for your address, or not mail of this kind.",
                               "Ask who runs this relay to allow your address there."};
constexpr Words suppressed{"The mail provider has the address on a list of those to which it sends nothing.",
                           "Ask who runs this relay to take it off that list."};
constexpr Words no_login{"This relay could not log in to its mail provider.",
                         "You did nothing wrong: tell who runs this relay."};
constexpr Words used_up{"The sending limit at the mail provider is used up.",
                        "You did nothing wrong: tell who runs this relay, or send it again later."};
constexpr Words unreachable{"The next server could not be reached.",
                            "Send it again later, or tell who runs this relay."};
constexpr Words no_tls{"No secure connection to the next server could be made.",
                       "You did nothing wrong: tell who runs this relay."};
constexpr Words put_off{"The next server put the message off.", "Send it again later."};
constexpr Words refused{"The next server refused the message.",
                        "Its answer may say why. Else ask who runs this relay."};
constexpr Words out_of_time{"This relay tried until the time for it was over.",
                            "Send it again later, or tell who runs this relay."};
constexpr Words failed_here{"This relay could not send the message.",
                            "What happened stands below. Else ask who runs this relay."};

std::optional<Words> words_of_class(const ReportedRecipient& one) {
  switch (one.reply_class.value_or(ReplyClass::none)) {
    case ReplyClass::connect:
      return unreachable;
    case ReplyClass::tls:
      return no_tls;
    case ReplyClass::auth:
      return no_login;
    case ReplyClass::quota:
      return used_up;
    case ReplyClass::sender:
      return refused_sender;
    case ReplyClass::size:
      return too_large;
    case ReplyClass::suppressed:
      return suppressed;
    case ReplyClass::rate:
    case ReplyClass::conn:
    case ReplyClass::temp:
      return put_off;
    case ReplyClass::none:
    case ReplyClass::rcpt:     // its status says more
    case ReplyClass::content:  // likewise
      break;
  }
  return std::nullopt;
}

Words words_of(Reported::Kind kind, const ReportedRecipient& one) {
  if (const std::optional<Words> words = words_of_class(one)) return *words;
  if (one.code == 0) return one.expired ? out_of_time : failed_here;
  const smtp::EnhancedCode status = status_of(kind, one);
  const std::pair<int, int> code{status.subject, status.detail};
  if (code == std::pair{2, 2}) return full_mailbox;
  if (code == std::pair{2, 3} || code == std::pair{3, 4}) return too_large;
  if (code == std::pair{1, 7} || code == std::pair{1, 8}) return refused_sender;
  if (code.first == 1 || one.reply_class == ReplyClass::rcpt) return unknown_address;
  if (kind == Reported::Kind::delayed) return put_off;
  if (one.reply_class == ReplyClass::content) return refused_content;
  if (one.code / 100 == 4) return put_off;
  if (code.first == 6 || code.first == 7) return refused_content;
  return refused;
}

class Text {
 public:
  // A paragraph, and an empty line behind it.
  void paragraph(std::string_view words) {
    line(words, "");
    text_ += "\r\n";
  }
  // A line in front of which `in` stands, as in the lines that it goes on in.
  void line(std::string_view words, std::string_view in) {
    text_ += in;
    append_wrapped(text_, words, in);
    text_ += "\r\n";
  }
  void gap() { text_ += "\r\n"; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// As a person reads it; what is no clean UTF-8 as the programs' part has it.
std::string shown_address(std::string_view address) {
  if (is_clean_utf8(address)) return fmt::format("<{}>", address);
  return fmt::format("<{}>", smtp::encode_utf8_xtext(address));
}

std::string_view opening(Reported::Kind kind) {
  switch (kind) {
    case Reported::Kind::failed:
      return "Your message was not delivered to:";
    case Reported::Kind::delayed:
      return "Your message has not been delivered yet to:";
    case Reported::Kind::relayed:
      return "You asked to hear of your message. It was handed on for:";
    case Reported::Kind::delivered:
      return "You asked to hear of your message. It was delivered to:";
    case Reported::Kind::expanded:
      return "You asked to hear of your message. It was taken for this address, which stands for others:";
  }
  return {};
}

std::string what_was_said(const ReportedRecipient& one) {
  if (one.code == 0) return "What happened:";
  const std::string host = host_name(one.host);
  return host.empty() ? "The server answered:" : fmt::format("{} answered:", host);
}

void append_reply(Text& text, const ReportedRecipient& one) {
  std::size_t octets = 0;
  const std::vector<std::string> lines = reply_lines(one);
  if (lines.empty()) return;
  text.line(what_was_said(one), "");
  for (const std::string& line : lines) {
    octets += line.size();
    if (octets > most_of_reply) return text.line("...", indent);
    text.line(line, indent);
  }
}

// What is said of one recipient, or of several alike.
std::string said_of(const ReportFacts& facts, const ReportedRecipient& one) {
  Text text;
  const bool failed = facts.kind == Reported::Kind::failed;
  if (failed || facts.kind == Reported::Kind::delayed) {
    const Words words = words_of(facts.kind, one);
    if (failed && one.expired && words.why != out_of_time.why)
      text.line("This relay tried until the time for it was over. The last time:", "");
    text.line(words.why, "");
    if (failed) text.line(words.advice, "");
  }
  if (facts.kind != Reported::Kind::expanded) append_reply(text, one);
  return text.take();
}

void append_recipients(Text& text, std::string& written, const ReportFacts& facts) {
  std::string said;
  std::size_t named = 0;
  const auto end_group = [&] {
    if (said.empty()) return;
    written += text.take();
    written.append("\r\n").append(said).append("\r\n");
  };
  for (const ReportedRecipient& one : facts.recipients) {
    if (named == most_named) break;
    std::string next = said_of(facts, one);
    if (named > 0 && next != said) end_group();
    text.line(shown_address(recipient_of(facts, one).address), indent);
    said = std::move(next);
    ++named;
  }
  if (said.empty()) text.gap();
  end_group();
  if (facts.recipients.size() > named)
    text.paragraph(fmt::format("And to {} more, who are named in the second part of this report.",
                               facts.recipients.size() - named));
}

void append_outlook(Text& text, const ReportFacts& facts) {
  if (facts.kind == Reported::Kind::delayed) {
    std::string words = "This relay goes on trying; you need not send it again.";
    if (facts.next_attempt) words += fmt::format(" Next time: {}.", mail::format_date(*facts.next_attempt));
    if (facts.retry_until) words += fmt::format(" It gives up on {}.", mail::format_date(*facts.retry_until));
    text.paragraph(words);
  }
  if (facts.kind == Reported::Kind::relayed)
    text.paragraph(
        "The server that took it sends no reports of success: that it arrived is not known. Should it fail, "
        "you are told in the usual way.");
}

}  // namespace

Part report_text(const ReportFacts& facts, bool utf8) {
  Text text;
  std::string written;
  text.paragraph(fmt::format("This is the mail relay {}.", printable(facts.hostname)));
  text.paragraph(opening(facts.kind));
  append_recipients(text, written, facts);
  append_outlook(text, facts);
  text.line(fmt::format("The message came here on {} and is known as {}.", mail::format_date(facts.arrived),
                        printable(facts.about)),
            "");
  text.line(fmt::format("For help, write to {}.", printable(facts.from)), "");
  written += text.take();
  if (ascii::all_ascii(written))
    return {"Content-Type: text/plain; charset=us-ascii\r\n", std::move(written)};
  if (utf8)
    return {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
            std::move(written)};
  return {"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n",
          quoted_printable(written)};
}

}  // namespace relayd::tell
