#include "shared/mail/header.hpp"

#include <algorithm>
#include <optional>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::fuzz {

namespace {

// Octets up to and with the empty line, or up to the line that is no field; nothing when it does not end.
std::optional<std::size_t> end_by_lines(std::string_view input) {
  mail::HeaderLines lines;
  for (std::size_t at = 0;;) {
    const std::size_t feed = input.find('\n', at);
    if (feed == std::string_view::npos) return std::nullopt;
    std::string_view line = input.substr(at, feed - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.text(line.substr(0, line.size() / 2));
    lines.text(line.substr(line.size() / 2));
    lines.end_line();
    if (lines.over()) return line.empty() ? feed + 1 : at;
    at = feed + 1;
  }
}

}  // namespace

void header(std::string_view input) {
  mail::HeaderScanner whole("mark");
  whole.feed(input);
  mail::HeaderScanner pieces("mark");
  const std::size_t cut = cut_of(input);
  pieces.feed(input.substr(0, cut));
  pieces.feed(input.substr(cut));
  const mail::HeaderFacts& a = whole.facts();
  const mail::HeaderFacts& b = pieces.facts();
  demand(a.octets == b.octets && a.received == b.received && a.from == b.from && a.has_date == b.has_date &&
             a.marked == b.marked && a.from_whole == b.from_whole && whole.done() == pieces.done(),
         "the cut does not matter to the facts");
  const std::optional<std::size_t> end = end_by_lines(input);
  demand(whole.done() == end.has_value(), "line by line a header ends as well");
  demand(!end || *end == a.octets || (a.octets == 0 && a.fields == 0), "and at the same place");
  demand(a.marked <= a.received, "only a Received field has the mark, and each counts once");
  demand(a.octets <= input.size(), "a header is part of its message");
  demand(!a.separated || input.substr(0, a.octets).ends_with('\n'), "an empty line ends the header");
  std::vector<mail::Mailbox> all = mail::mailboxes(input);
  for (const mail::Mailbox& found : all) demand(found.end <= input.size(), "it stands in the text");
  for (const std::string& address : a.from) all.push_back({address, {}, 0});
  for (const mail::Mailbox& found : all) {
    const bool valid =
        found.address.empty() || mail::check_address(found.address, true) == mail::AddressFault::none;
    demand(valid, "what is found is an address");
    const bool plain = ascii::all_ascii(found.address) && std::ranges::count(found.address, '@') <= 1 &&
                       found.address.find_first_of("\"?") == std::string::npos;
    demand(!plain || !mail::may_be_misread(found.address), "a plain address is read as it is meant");
  }
}

}  // namespace relayd::fuzz
