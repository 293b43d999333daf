// Subject prefix: the words that `subject_prefix` of the configuration puts before each Subject.
//
// Stands under header rules and staging. Pure; linear time in the header.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relayd::rewrite {

// The header with the prefix before the text of each Subject, behind one blank, and a Subject where there is
// none. Nothing when all of them have it: at their beginning or behind "Re:", "Fwd:" and their like, encoded
// or not. A prefix that is not ASCII is encoded unless the message has SMTPUTF8.
std::optional<std::string> with_subject_prefix(std::string_view header, std::string_view prefix,
                                               bool smtp_utf8);

}  // namespace relayd::rewrite
