// Which limit a reply names: "maximum 100 recipients per message", "limit of 50 messages per hour".
//
// Under judge(). Pure. It reads the reply's own words (reading.hpp); whether a number can be true is for
// those who know what was sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "shared/config/limit.hpp"
#include "shared/smtp/cap.hpp"

namespace relayd::settle {

// The number that stands for this cap, the least of several; 0: none does.
std::uint32_t told_count(std::string_view words, smtp::Cap cap);

// How many in a second, minute or hour; in recipients unless the words say messages. Nothing where they speak
// of one sender, recipient or domain: that is no limit of the account's.
std::optional<config::Rate> told_rate(std::string_view words);

}  // namespace relayd::settle
