#include "tell/report.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "tell/obligation.hpp"

namespace relayd::fuzz {

namespace {

// The next piece of the input, up to an octet that is in no UTF-8.
std::string take_piece(std::string_view& input) {
  const std::size_t end = std::min(input.find('\xFE'), input.size());
  std::string piece(input.substr(0, end));
  input.remove_prefix(std::min(end + 1, input.size()));
  return piece;
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != text.npos; at += what.size()) ++found;
  return found;
}

void check_lines(std::string_view content, bool utf8) {
  demand(utf8 || ascii::all_ascii(content), "a report is of 7 bits unless its reader needs UTF-8");
  while (!content.empty()) {
    const std::size_t end = content.find("\r\n");
    demand(end != content.npos, "each line has its end");
    const std::string_view line = content.substr(0, end);
    demand(line.size() <= 998, "no line is too long");
    demand(std::ranges::none_of(line, [](char c) { return ascii::is_control(c) && c != '\t'; }),
           "no line has a control character");
    content.remove_prefix(end + 2);
  }
}

// Of the three parts the second one tells of one recipient.
void check_parts(std::string_view content) {
  constexpr std::string_view key = "boundary=\"";
  const std::size_t begin = content.find(key) + key.size();
  const std::string mark = "\r\n--" + std::string(content.substr(begin, content.find('"', begin) - begin));
  demand(count(content, mark) == 4, "a report is one multipart of three");
  demand(content.ends_with(mark + "--\r\n"), "its end is that of the multipart");
  const std::size_t second = content.find(mark, content.find(mark) + 1);
  const std::string_view status = content.substr(second, content.find(mark, second + 1) - second);
  demand(count(status, "\r\n\r\n") == 2, "there is one group for the one recipient");
  demand(count(status, "\r\nFinal-Recipient: ") == 1 && count(status, "\r\nStatus: ") == 1,
         "no text adds a field");
}

}  // namespace

void report(std::string_view input) {
  const unsigned choice = input.empty() ? 0 : static_cast<unsigned char>(input.front());
  input.remove_prefix(std::min<std::size_t>(1, input.size()));
  mail::Envelope envelope;
  envelope.sender = take_piece(input);
  envelope.recipients.push_back({take_piece(input), take_piece(input), take_piece(input)});
  envelope.expanded = envelope.recipients;
  envelope.envelope_id = take_piece(input);
  envelope.smtp_utf8 = (choice & 1) != 0;
  envelope.ret = (choice & 2) != 0 ? "FULL" : "";
  const std::vector<tell::ReportedRecipient> about = {{.recipient = 0,
                                                       .code = (choice & 4) != 0 ? 550 : 0,
                                                       .text = take_piece(input),
                                                       .host = take_piece(input),
                                                       .expired = (choice & 8) != 0}};
  const std::string header = take_piece(input);
  config::Bounce bounce;
  bounce.from = "mailer-daemon@example.com";
  bounce.to = {"ops@example.com"};
  const auto kind = static_cast<tell::Reported::Kind>(choice >> 4 & 3);
  std::vector<std::string> to = tell::addressees(bounce, kind, envelope, tell::header_marks(header));
  // A session takes no other sender.
  std::erase_if(to, [](const std::string& address) {
    return mail::check_address(address, true) != mail::AddressFault::none;
  });
  if (to.empty()) return;
  const tell::Report made = tell::compose(
      {.kind = kind,
       .hostname = "mail.example.com",
       .from = bounce.from,
       .to = to,
       .id = "2",
       .about = "1",
       .envelope = envelope,
       .arrived = {},
       .now = {},
       .recipients = about,
       .header = header,
       .body = input,
       .content = (choice & 64) != 0 ? config::Bounce::Content::full : config::Bounce::Content::headers});
  check_lines(made.content, made.envelope.smtp_utf8);
  check_parts(made.content);
}

}  // namespace relayd::fuzz
