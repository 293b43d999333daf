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

// Takes the first field off the front of a block, which is not empty; its lines end with CR LF. A line that
// is no field comes as one of a name that no field has.
Field take_field(std::string_view& block);

}  // namespace relayd::mail
