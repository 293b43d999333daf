#include "shared/base/ascii.hpp"

#include <gtest/gtest.h>

namespace relayd::ascii {
namespace {

TEST(Ascii, OneOctetAboveIsSeenWhereverItStands) {
  for (std::size_t size = 0; size < 20; ++size) {
    std::string text(size, '\x7f');
    EXPECT_TRUE(all_ascii(text));
    for (char& octet : text) {
      octet = '\x80';
      EXPECT_FALSE(all_ascii(text)) << size;
      octet = 'x';
    }
  }
}

}  // namespace
}  // namespace relayd::ascii
