#include "shared/mail/address.hpp"

#include <string>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::fuzz {

void address(std::string_view input) {
  const mail::Parts parts = mail::split(input);
  const bool qualified = parts.local_part.size() != input.size();
  const std::size_t octets = parts.local_part.size() + parts.domain.size() + (qualified ? 1 : 0);
  demand(octets == input.size(), "the parts of an address are all of it");
  demand(mail::without_tag(input).size() <= input.size(), "nothing is added to an address");
  const std::string key = mail::lookup_key(input);
  demand(mail::lookup_key(key) == key, "a key is its own key");
  if (mail::check_address(input, true) != mail::AddressFault::none) return;
  for (const char c : input) demand(!ascii::is_control(c), "no control character in a valid address");
  demand(input.front() != '-', "no valid address looks like an option");
  demand(mail::check_address(key, true) != mail::AddressFault::syntax, "the key of an address is one");
  demand(mail::split(key).domain == mail::folded_domain(input), "a key does not move the '@'");
  demand(ascii::all_ascii(mail::folded_domain(input)), "the domain of a valid address has a name in DNS");
  const bool ascii_only = ascii::all_ascii(input);
  const auto fault = mail::check_address(input, false);
  demand((fault == mail::AddressFault::none) == ascii_only, "only octets above 127 need UTF-8");
}

}  // namespace relayd::fuzz
