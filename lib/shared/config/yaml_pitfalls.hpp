// What a parser's complaint means for whoever wrote the file by hand: the few mistakes that everybody makes.
// Private to this room.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "shared/config/config.hpp"

namespace relayd::config {

struct Pitfall {
  Location where;
  std::string text;  // quotes no value: it may be a secret
};

// `where` is where the parser gave up on the text, and `complaint` what it says.
Pitfall pitfall(std::string_view text, const Location& where, std::string_view complaint);

// Whether the key that begins there in the text has nothing but a comment behind it.
bool is_only_a_comment(std::string_view text, std::size_t key);

}  // namespace relayd::config
