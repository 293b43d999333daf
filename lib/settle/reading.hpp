// Reading: what a reply's text says in its own words, and how long it asks to wait.
//
// Under judge(). Pure. A reply may quote an address that a stranger chose; its words must not be read as the
// server's.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "shared/smtp/stage.hpp"

namespace relayd::settle {

// The text as one line, with an '@' for each thing that it quotes: what stands in angle brackets, and words
// and quoted strings with an '@'. At rcpt, where any client's recipient may be quoted in any way, also all
// between the first and the last quotation mark or bracket, and words with a dot inside: names of hosts.
std::string own_words(smtp::Stage stage, std::string_view text);

// "Try again in 92 seconds", "retry after 5 minutes", "wait 1 hour": between 1 s and 1 h. 0: it tells no
// time.
std::chrono::seconds told_wait(std::string_view words);

}  // namespace relayd::settle
