#include "shared/mail/header.hpp"

#include "fuzz/targets.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::fuzz {

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
             a.marked == b.marked && a.from_mailboxes == b.from_mailboxes && whole.done() == pieces.done(),
         "the cut does not matter to the facts");
  demand(a.marked <= a.received, "only a Received field has the mark, and each counts once");
  demand(a.has_from == (a.from_mailboxes > 0), "a From field has a mailbox, be it one that cannot be read");
  demand(a.octets <= input.size(), "a header is part of its message");
  demand(!a.separated || input.substr(0, a.octets).ends_with('\n'), "an empty line ends the header");
  std::vector<mail::Mailbox> all = mail::mailboxes(input);
  for (const mail::Mailbox& found : all) demand(found.end <= input.size(), "it stands in the text");
  all.push_back({a.from, {}, 0});
  for (const mail::Mailbox& found : all) {
    const bool valid =
        found.address.empty() || mail::check_address(found.address, true) == mail::AddressFault::none;
    demand(valid, "what is found is an address");
  }
}

}  // namespace relayd::fuzz
