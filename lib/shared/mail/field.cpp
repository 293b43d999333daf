#include "shared/mail/field.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::mail {

bool Field::is(std::string_view other) const {
  return ascii::equal_ignoring_case(name, other);
}

Field take_field(std::string_view& block) {
  std::size_t end = 0;
  do {
    end = block.find('\n', end);
    end = end == std::string_view::npos ? block.size() : end + 1;
  } while (end < block.size() && (block[end] == ' ' || block[end] == '\t'));
  Field field;
  field.whole = block.substr(0, end);
  block.remove_prefix(end);
  const std::size_t colon = std::min(field.whole.find(':'), field.whole.size());
  field.name = field.whole.substr(0, colon);
  field.name = field.name.substr(0, field.name.find_last_not_of(" \t") + 1);
  field.body = field.whole.substr(std::min(colon + 1, field.whole.size()));
  return field;
}

}  // namespace relayd::mail
