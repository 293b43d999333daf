#include "shared/mail/address.hpp"

#include <string>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

void address(std::string_view input) {
  const mail::Parts parts = mail::split(input);
  const bool qualified = parts.local_part.size() != input.size();
  const std::size_t octets = parts.local_part.size() + parts.domain.size() + (qualified ? 1 : 0);
  demand(octets == input.size(), "the parts of an address are all of it");
  demand(mail::without_tag(input).size() <= input.size(), "nothing is added to an address");
  if (mail::check_address(input, true) != mail::AddressFault::none) return;
  for (const char c : input) demand(!ascii::is_control(c), "no control character in a valid address");
  demand(input.front() != '-', "no valid address looks like an option");
  const std::string folded = mail::folded(input);
  demand(mail::check_address(folded, true) == mail::AddressFault::none, "case does not matter to validity");
  demand(mail::split(folded).domain == mail::folded_domain(input), "folding does not move the '@'");
  const bool ascii_only = ascii::all_ascii(input);
  const auto fault = mail::check_address(input, false);
  demand((fault == mail::AddressFault::none) == ascii_only, "only octets above 127 need UTF-8");
}

}  // namespace relayd::fuzz
