// What the parts of a report are made of: lines, and text of strangers that becomes such. Private to the
// reports of this room.
//
// Pure; linear time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::tell {

// A part of a multipart (RFC 2046 5.1.1).
struct Part {
  std::string fields;   // with CR LF
  std::string content;  // likewise
};

// Graphic ASCII and blanks stay; every other octet is written as \xHH.
std::string printable(std::string_view text);

// The lines of a text, printable, of up to `most` octets together; "..." stands for what is left out. A line
// ends at LF or CR, or at "\x0A", which is what an escaped reply has in their place. Empty ones are left out.
std::vector<std::string> printable_lines(std::string_view text, std::size_t most);

// Puts a text behind what `output` has in its last line, and goes on in further lines, each behind `indent`,
// where a line would have more than 78 octets. A word that fits into none is cut; `text` is one line.
void append_wrapped(std::string& output, std::string_view text, std::string_view indent);

// The same for a text that stays in one piece: it is cut, and goes on behind a blank, only where a line would
// have more than 998 octets.
void append_whole(std::string& output, std::string_view text);

// "rfc822; ann@example.com", or for what is not graphic ASCII "utf-8; …" (RFC 6533 3): as it is where `utf8`
// and clean, else with \x{HEX}.
std::string typed_address(std::string_view address, bool utf8);

// Whether the text can stand in a part without an encoding: lines with CR LF of at most 998 octets, without
// control characters; ASCII, or UTF-8 where `utf8`.
bool is_plain(std::string_view text, bool utf8);

// Quoted-printable (RFC 2045 6.7): lines of at most 76 octets; a CR LF of the text is a line end.
std::string quoted_printable(std::string_view text);

// Whether it is UTF-8 without control and direction marks.
bool is_clean_utf8(std::string_view text);

}  // namespace relayd::tell
