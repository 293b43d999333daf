#include "shared/config/pin.hpp"

#include <gtest/gtest.h>

namespace relayd::config {
namespace {

TEST(Pin, IsTheSameInBase64AndInHexadecimal) {
  const Result<std::string> base64 = parse_pin("r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E=");
  const Result<std::string> hex =
      parse_pin("aff988906dde12955d9bebbf928fdcc31cce328d5b9384f21c8941ca26e20391");
  const Result<std::string> colons = parse_pin(
      "AF:F9:88:90:6D:DE:12:95:5D:9B:EB:BF:92:8F:DC:C3:1C:CE:32:8D:5B:93:84:F2:1C:89:41:CA:26:E2:03:91");
  ASSERT_TRUE(base64 && hex && colons);
  EXPECT_EQ(base64->size(), 32u);
  EXPECT_EQ(base64->substr(0, 3), "\xaf\xf9\x88");
  EXPECT_EQ(*base64, *hex);
  EXPECT_EQ(*base64, *colons);
}

}  // namespace
}  // namespace relayd::config
