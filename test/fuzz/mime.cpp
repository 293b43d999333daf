#include <algorithm>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"
#include "shared/mime/file_name.hpp"
#include "shared/mime/message.hpp"

namespace relayd::fuzz {

namespace {

bool stands_in(std::string_view part, std::string_view whole) {
  return part.empty() ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void name(const std::string& name) {
  demand(name.size() <= mime::longest_file_name, "a name is bounded");
  demand(name.find_first_of("/\\\"<>:|?*") == std::string::npos, "a name leads nowhere");
  demand(name.empty() || (name.front() != '.' && name.back() != '.'), "a name is none of a folder's");
  for (std::string_view rest = name; !rest.empty();) {
    const std::optional<mail::CodePoint> point = mail::first_code_point(rest);
    demand(point && !mail::is_invisible_control(point->value), "a name is UTF-8 that can be seen");
    rest.remove_prefix(point->octets);
  }
}

}  // namespace

void mime(std::string_view input) {
  const mime::Message message = mime::parse(input);
  demand(!message.parts.empty() && message.parts.size() <= mime::most_parts,
         "there are parts, and not too many");
  demand(stands_in(message.header, input), "a header stands in its message");
  const char* end = input.data();
  for (const mime::Part& part : message.parts) {
    demand(stands_in(part.body, input), "a part stands in its message");
    demand(part.body.empty() || part.body.data() >= end, "parts have their order, and share nothing");
    if (!part.body.empty()) end = part.body.data() + part.body.size();
    demand(mime::decode(part.encoding, part.body).size() <= part.body.size(), "decoding adds nothing");
    demand(part.charset.find_first_of(" \t\r\n;\"/=") == std::string::npos, "a charset is a token");
    demand(std::ranges::count(part.type, '/') == 1 && std::ranges::none_of(part.type, ascii::is_control),
           "a type is a type");
    name(part.name);
  }
  name(mime::clean_file_name(input));
}

}  // namespace relayd::fuzz
