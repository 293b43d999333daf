// The nearest known word, for "did you mean". Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace relayd::config {

// " (did you mean 'upstream'?)", or nothing when no word of `known` is near.
std::string suggestion(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace relayd::config
