#include "shared/mime/file_name.hpp"

#include <algorithm>
#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::mime {

namespace {

constexpr std::size_t longest_ending = 12;  // of a name, with its dot
constexpr std::string_view ends_of_none = ". ";
constexpr std::string_view devices[] = {"con", "prn", "aux", "nul"};
constexpr std::string_view numbered_devices[] = {"com", "lpt"};

std::string shown(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const std::optional<mail::CodePoint> point = mail::first_code_point(name);
    const std::string_view letter = name.substr(0, point ? point->octets : 1);
    const bool is_plain =
        point && !mail::is_invisible_control(point->value) &&
        (point->octets > 1 || std::string_view("<>:\"|?*").find(letter) == std::string_view::npos);
    out += is_plain ? letter : "_";
    name.remove_prefix(letter.size());
  }
  return out;
}

bool is_device(std::string_view name) {
  const std::string stem = ascii::lower(ascii::trimmed(name.substr(0, name.find('.')), " "));
  if (std::ranges::find(devices, stem) != std::end(devices)) return true;
  return stem.size() == 4 && ascii::is_digit(stem[3]) &&
         std::ranges::find(numbered_devices, stem.substr(0, 3)) != std::end(numbered_devices);
}

// The first octets, and no part of a letter.
std::string_view beginning(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  return text.substr(0, most);
}

}  // namespace

std::string clean_file_name(std::string_view name) {
  name.remove_prefix(name.find_last_of("/\\") + 1);
  const std::string whole = shown(name);
  const std::string_view kept = ascii::trimmed(whole, ends_of_none);
  if (is_device(kept)) return '_' + std::string(beginning(kept, longest_file_name - 1));
  if (kept.size() <= longest_file_name) return std::string(kept);
  const std::size_t dot = kept.rfind('.');
  const std::string_view ending = kept.size() - dot <= longest_ending ? kept.substr(dot) : "";
  return std::string(beginning(kept, longest_file_name - ending.size())) + std::string(ending);
}

}  // namespace relayd::mime
