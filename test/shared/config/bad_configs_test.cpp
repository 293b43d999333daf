// Each file of test/bad_configs is refused with exactly the complaints of the .expected file beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

const std::filesystem::path folder = PROJECT_DIR "/test/bad_configs";

std::vector<std::string> names(const std::string& extension) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == extension) found.push_back(entry.path().stem());
  std::ranges::sort(found);
  return found;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class BadConfig : public testing::TestWithParam<std::string> {};

TEST_P(BadConfig, IsRefusedAsExpected) {
  const Environment environment = {{"SET", "value"}};
  const std::string file = GetParam() + ".yaml";
  const Loaded loaded = load_text(text_of(folder / file), file, environment);
  EXPECT_FALSE(loaded.config);
  EXPECT_EQ(lines(loaded.errors), text_of(folder / (GetParam() + ".expected")));
}

INSTANTIATE_TEST_SUITE_P(Files, BadConfig, testing::ValuesIn(names(".yaml")),
                         [](const auto& instance) { return instance.param; });

TEST(BadConfigs, EachHasItsExpectation) {
  EXPECT_EQ(names(".yaml"), names(".expected"));
  EXPECT_FALSE(names(".yaml").empty());
}

}  // namespace
}  // namespace relayd::config
