#include "rewrite/dkim_body.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "shared/base/ascii.hpp"

namespace relayd::rewrite {

namespace {

// What can be different in the canonical text. A bare LF is an octet like any other.
bool matters(char c) {
  return ascii::is_blank(c) || c == '\r';
}

// The first octet that matters, eight at a time: it is asked of whole bodies.
const char* find_matter(const char* at, const char* end) {
  constexpr std::uint64_t ones = 0x0101010101010101;
  constexpr std::uint64_t high_bits = ones << 7;
  static_assert(std::endian::native == std::endian::little);
  while (at != end) {
    std::uint64_t octets = 0;
    if (end - at < std::ptrdiff_t{sizeof octets}) return std::find_if(at, end, matters);
    std::memcpy(&octets, at, sizeof octets);
    const std::uint64_t low = (octets - ones * (' ' + 1)) & ~octets & high_bits;  // blanks and controls
    at += low == 0 ? 8 : std::countr_zero(low) / 8;
    if (low != 0 && matters(*at)) return at;
    if (low != 0) ++at;
  }
  return end;
}

}  // namespace

// From an octet of a line's text to the first one whose meaning is not clear at a glance: between them stands
// what is canonical as it is, single blanks and line ends before text included.
const char* BodyHash::skip(const char* at, const char* end) {
  for (;;) {
    at = find_matter(at, end);
    const bool blank = end - at >= 2 && *at == ' ' && !matters(at[1]);
    const bool line_end = end - at >= 3 && *at == '\r' && at[1] == '\n' && !matters(at[2]);
    if (!blank && !line_end) return at;
    at += blank ? 2 : 3;
  }
}

void BodyHash::update(std::string_view piece) {
  const char* at = piece.data();
  const char* const end = at + piece.size();
  while (at != end) {
    if (carriage_return_ && *at == '\n') {
      carriage_return_ = false;
      space_ = false;  // it stood at the end of a line
      ++line_ends_;
      ++at;
    } else if (ascii::is_blank(*at) && !carriage_return_) {
      space_ = true;
      ++at;
    } else if (*at == '\r' && !carriage_return_) {
      carriage_return_ = true;
      ++at;
    } else if (matters(*at)) {
      write_pending();  // a bare CR, with what stood before it
    } else {
      write_pending();
      const char* const text = at;
      at = skip(at, end);
      hash_.update({text, static_cast<std::size_t>(at - text)});
    }
  }
}

// Text follows: what waited for it counts.
void BodyHash::write_pending() {
  constexpr std::string_view many = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
  constexpr std::uint64_t most = many.size() / 2;
  for (; line_ends_ > 0; line_ends_ -= std::min(line_ends_, most))
    hash_.update(many.substr(0, 2 * std::min(line_ends_, most)));
  if (space_) hash_.update(" ");
  if (carriage_return_) hash_.update("\r");
  space_ = false;
  carriage_return_ = false;
  written_ = true;
}

crypto::Digest BodyHash::finish() {
  if (carriage_return_) write_pending();
  if (written_) hash_.update("\r\n");
  return hash_.finish();
}

}  // namespace relayd::rewrite
