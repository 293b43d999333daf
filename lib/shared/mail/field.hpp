// Field: one field of a header block (RFC 5322 2.2), as it stands there.
//
// Stands under what goes through a header that is whole: rewrite and sendmail. Who meets it in pieces has the
// HeaderScanner. Pure; owns nothing.
#pragma once

#include <string_view>

namespace relayd::mail {

struct Field {
  std::string_view whole;  // with its folded lines and their ends
  std::string_view name;
  std::string_view body;  // what follows the colon

  bool is(std::string_view other) const;  // in any case of letters
};

// Whether a field's name is the one of a pattern, in any case of letters; a '*' at the end of the pattern
// stands for anything.
bool field_name_fits(std::string_view name, std::string_view pattern);

// Whether two patterns can fit the name of one field.
bool field_names_may_meet(std::string_view a, std::string_view b);

// Takes the first field off the front of a block, which is not empty; its lines end with CR LF. A line that
// is no field comes as one of a name that no field has.
Field take_field(std::string_view& block);

// Takes lines off the front of a block up to and with the next field, a name of graphic ASCII and a colon
// (RFC 5322 2.2). False at the end of the header: at the empty line, which stays, or at the end of the text.
bool next_field(std::string_view& block, Field& field);

// Calls see(field) for each field of a header, from the top to the bottom.
template <class See>
void for_each_field(std::string_view block, See see) {
  for (Field field; next_field(block, field);) see(field);
}

}  // namespace relayd::mail
