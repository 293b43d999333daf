// HeaderEdit: changes to a header in one pass, from top to bottom.
//
// Stands under whoever takes fields out of a header or puts some in. Pure; it keeps a view of the header, and
// allocates nothing before the first change. What is not changed stays octet by octet.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/mail/field.hpp"

namespace relayd::rewrite {

class HeaderEdit {
 public:
  // `header`: lines up to and with the empty one, if it is there; what stands behind that is kept.
  explicit HeaderEdit(std::string_view header) : header_(header), rest_(header) {}

  // Takes the next field; false at the end of the header. Lines that are no field are passed by.
  bool next(mail::Field& field) { return mail::next_field(rest_, field); }

  // Replaces a part of the header, which lies behind all that were replaced before.
  void replace(std::string_view part, std::string_view by);
  // Adds a field behind the last; to be called once next() is false.
  void add(std::string_view field);

  // The header with its changes; nothing when there were none.
  std::optional<std::string> take() &&;

 private:
  std::size_t offset_of(std::string_view part) const {
    return static_cast<std::size_t>(part.data() - header_.data());
  }

  std::string_view header_;
  std::string_view rest_;  // what next() has not seen
  std::size_t copied_ = 0;
  bool changed_ = false;
  std::string edited_;
};

}  // namespace relayd::rewrite
