// Encoded words (RFC 2047): text that is not ASCII in fields that are, and fields made of any text.
//
// Stands under rewrite and tell, which make fields. Pure; linear time.
#pragma once

#include <string>
#include <string_view>

namespace relayd::mail {

// Whether the text cannot stand in an unstructured field as it is: it is not ASCII (`utf8`: may be), has a
// control character, or a word that no line would have room for.
bool needs_encoding(std::string_view text, bool utf8);

// Encoded words of 60 octets at most, with a blank between two. What is no UTF-8 becomes '?'.
std::string encode_words(std::string_view text);

// Puts a blank and a text behind the colon that `field` ends with, in lines of up to 78 octets (76 with
// encoded words) where its blanks allow, and of up to 998 in any case. The text begins and ends with no
// blank.
void append_folded(std::string& field, std::string_view text, bool encoded);

// A whole unstructured field with its CR LF. Blanks around the value are dropped, and it is encoded where it
// must be.
std::string unstructured_field(std::string_view name, std::string_view value, bool utf8);

// The beginning of an unstructured field's body as a reader sees it: encoded words decoded, in whatever
// charset, each run of blanks and folds as one blank, none in front. Some octets more than `most` at the
// most.
std::string beginning_of_text(std::string_view body, std::size_t most);

}  // namespace relayd::mail
