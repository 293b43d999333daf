#include "shared/smtp/xtext.hpp"

#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

void xtext(std::string_view input) {
  const std::string encoded = smtp::encode_xtext(input);
  const bool printable = std::ranges::all_of(encoded, [](char c) { return c > ' ' && c < 0x7f && c != '='; });
  demand(printable, "xtext is printable and has no '='");
  const bool has_control = std::ranges::any_of(input, ascii::is_control);
  const std::optional<std::string> again = smtp::decode_xtext(encoded);
  demand(again.has_value() == !has_control, "all but control characters comes back");
  demand(!again || *again == input, "what comes back is what was put in");
  const std::string utf8 = smtp::encode_utf8_xtext(input);
  demand(smtp::decode_xtext(utf8) == utf8, "an address of UTF-8 is xtext that stands for itself");

  const std::optional<std::string> decoded = smtp::decode_xtext(input);
  if (!decoded) return;
  demand(decoded->size() <= input.size(), "decoding makes nothing longer");
  demand(std::ranges::none_of(*decoded, ascii::is_control), "no control character hides in xtext");
  demand(smtp::decode_xtext(smtp::encode_xtext(*decoded)) == decoded, "one value has one meaning");
}

}  // namespace relayd::fuzz
