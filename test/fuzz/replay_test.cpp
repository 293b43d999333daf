#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/targets.hpp"

namespace relayd::fuzz {
namespace {

class Seeds : public testing::TestWithParam<Target> {};

TEST_P(Seeds, KeepEveryPromise) {
  const auto folder = std::filesystem::path(PROJECT_DIR) / "test/fuzz/seeds" / GetParam().name;
  std::size_t seeds = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(file), {}};
    SCOPED_TRACE(entry.path().filename().string());
    // Each beginning of a seed is an input, too.
    for (std::size_t size = 0; size <= whole.size(); ++size)
      GetParam().run(std::string_view(whole).substr(0, size));
    ++seeds;
  }
  EXPECT_GT(seeds, 0u) << folder;
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Seeds, testing::ValuesIn(targets),
                         [](const auto& instance) { return std::string(instance.param.name); });

}  // namespace
}  // namespace relayd::fuzz
