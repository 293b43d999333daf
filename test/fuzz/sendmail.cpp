#include <algorithm>
#include <vector>

#include "fuzz/targets.hpp"
#include "sendmail_arguments.hpp"
#include "sendmail_message.hpp"
#include "sendmail_turns.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"

namespace relayd::fuzz {

namespace {

void command_line(std::string_view input) {
  std::vector<std::string_view> words;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = input.find('\0');
    words.push_back(input.substr(0, end));
    input.remove_prefix(std::min(input.size(), end + 1));
  }
  const Result<command::SendmailArguments> read = command::parse_sendmail_arguments(words);
  demand(read.ok() || !read.error().empty(), "a refusal says why");
  if (!read) return;
  demand(read->recipients.size() <= words.size(), "a word is one recipient at most");
  for (const std::string& recipient : read->recipients)
    demand(std::ranges::find(words, recipient) != words.end(), "a recipient is a word as it was written");
}

std::string canonical(std::string_view input, std::size_t cut) {
  command::SendmailInput lines(true);
  std::string out;
  lines.feed(input.substr(0, cut), out);
  lines.feed(input.substr(cut), out);
  lines.finish(out);
  return out;
}

void message(std::string_view input) {
  const std::string text = canonical(input, cut_of(input));
  demand(text == canonical(input, 0), "the cut does not matter to the lines");
  demand(text.empty() || text.ends_with("\r\n"), "the last line has its end");
  for (std::size_t i = 0; i < text.size(); ++i)
    demand(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'), "no LF without its CR");
  mail::HeaderScanner scanner;
  scanner.feed(text);
  scanner.end();
  const Result<command::SendmailHeader> header =
      command::complete_header(text, scanner.facts(), "ann@host.example", true);
  if (!header) return;
  const std::string& fields = header->fields;
  demand(fields.ends_with("\r\n"), "a header ends with an empty line");
  for (std::size_t i = 0; i < fields.size(); ++i)
    demand(fields[i] != '\r' || fields.compare(i, 2, "\r\n") == 0, "no CR without its LF in a header");
  for (const std::string& recipient : header->recipients)
    demand(mail::check_address(recipient, true) == mail::AddressFault::none, "a recipient is an address");
  mail::HeaderScanner again;
  again.feed(fields);
  demand(again.done() && again.facts().octets == fields.size(), "a header ends where the body begins");
  demand(!again.facts().from.empty(), "a header has a From field");
}

// What leaves of a dialogue to a daemon that takes everything, handed over in two pieces.
std::string left(std::string_view input, std::size_t cut) {
  command::SendmailTurns turns;
  std::string all;
  turns.hear("220 relay\r\n");
  for (const std::string_view piece : {input.substr(0, cut), input.substr(cut)}) {
    turns.feed(piece);
    for (std::string said = turns.take(); !said.empty(); said = turns.take()) {
      all += said;
      std::string_view last = std::string_view(all).substr(all.rfind('\n', all.size() - 2) + 1);  // none: 0
      last = last.substr(0, last.find_last_not_of(" \t\r\n") + 1);
      const std::string_view verb = last.substr(0, last.find_first_of(" \t"));
      const bool data = ascii::equal_ignoring_case(verb, "DATA");
      if (turns.waiting()) turns.hear(data ? "354 go\r\n" : "250-so\r\n250 ok\r\n");
    }
  }
  return all;
}

void dialogue(std::string_view input) {
  const std::string all = left(input, input.size());
  demand(all == left(input, cut_of(input)), "the cut does not matter to what leaves");
  demand(all.size() <= 2 * input.size() + 5, "nothing is made up but the ends of lines");
}

}  // namespace

void sendmail(std::string_view input) {
  command_line(input);
  message(input);
  dialogue(input);
}

}  // namespace relayd::fuzz
