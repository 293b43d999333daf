// The iterations of each key that was derived, as unknown_name_test.cpp counts them.
#pragma once

#include <vector>

namespace relayd::test {

extern std::vector<unsigned> derived;

}  // namespace relayd::test
