// Message: the parts of a message, as MIME has them (RFC 2045, 2046, 2183).
//
// Stands under who shows mail. Pure; owns nothing of the message: what it finds are views into it. It knows
// no errors: of a broken message it gives what there is. Time is linear in the message for each level of
// nesting, and levels, parts and headers are bounded; what is deeper or more is not divided further.
// It converts no charset: texts are octets, with the name of their charset.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/mime/decode.hpp"

namespace relayd::mime {

inline constexpr unsigned most_levels = 20;
inline constexpr std::size_t most_parts = 1000;
inline constexpr std::size_t most_header = 256 * 1024;  // octets that are read of a header

// One that has no parts; a message within a message is one, too.
struct Part {
  std::string type;         // "text/html", in lower case: a token, '/' and a token (RFC 2045 5.1)
  std::string charset;      // in lower case, of the characters of a token; empty: it says none
  std::string disposition;  // "inline", "attachment", in lower case; empty: it says none
  std::string name;         // of the file, cleaned (file_name.hpp); empty: it has none
  std::string content_id;   // without < and > (RFC 2392); empty: it has none
  Encoding encoding = Encoding::none;
  std::string_view body;  // as it stands in the message, encoded

  bool is_attachment() const { return disposition == "attachment"; }
};

struct Message {
  std::string_view header;  // without the empty line that ends it
  std::vector<Part> parts;  // in their order; at least one
};

Message parse(std::string_view message);

// The body of the first field of that name, as it stands there; empty where there is none.
std::string_view field_body(std::string_view header, std::string_view name);

// The part that a reader sees as the message's text: the first of that type that is no attachment. Null:
// there is none.
const Part* shown_part(const Message& message, std::string_view type);

}  // namespace relayd::mime
