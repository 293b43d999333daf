// Tag lists, `v=DKIM1; k=rsa; p=…`: the text of DKIM and DMARC records (RFC 6376 3.2, RFC 9989 4.7).
//
// Stands under the checks of those records. Pure; the tags point into the text.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::dns {

struct Tag {
  std::string_view name;   // letters, digits and _, as written: their case counts
  std::string_view value;  // without the white space around it; may be empty
};
using Tags = std::vector<Tag>;

// An error for what is no `name=value`, and for a name that comes twice: then none of it counts.
Result<Tags> parse_tags(std::string_view text);

std::optional<std::string_view> find(const Tags& tags, std::string_view name);

}  // namespace relayd::dns
