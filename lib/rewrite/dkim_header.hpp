// What a DKIM signature covers of a header (RFC 6376 3.4.2, 3.7, 5.4): the steps of dkim.hpp, one by one.
//
// Private to this room; apart, so that known answers can be given their own list of fields. Pure; time is
// linear in the header, but for sorting its fields.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::rewrite {

// A name of the list h= and the field that it stands for; without one it says that there is none.
struct SignedField {
  std::string_view name;   // as it is written in h=
  std::string_view whole;  // empty: there is none
};

// What is signed of a header, in the order of h=: each instance of a name from the bottom to the top (5.4.2),
// and once more than there are for those names that must not be added to.
std::vector<SignedField> signed_fields(std::string_view header,
                                       std::span<const std::string_view> unsigned_names);

// The same for a list of names that somebody else chose: each name takes the next instance from the bottom.
std::vector<SignedField> fields_of_list(std::string_view header, std::span<const std::string_view> names);

// Appends a field as "relaxed" (3.4.2) has it, with CR LF. A field without a colon is all name.
void append_relaxed(std::string& out, std::string_view field);

// All of them as one text, which a field's own text follows.
std::string relaxed(std::span<const SignedField> fields);

}  // namespace relayd::rewrite
