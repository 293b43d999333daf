#include "shared/net/directory_watch.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <system_error>

#include "support/temporary_directory.hpp"

namespace relayd::net {
namespace {

bool any(std::string_view) {
  return true;
}

TEST(DirectoryWatch, TellsOfAFileThatIsMovedIn) {
  const test::TemporaryDirectory directory;
  AsioLoop loop;
  unsigned arrivals = 0;
  const auto move_in = [&](const std::string& name) {
    std::ofstream(directory.path() / ("new-" + name)) << "text";
    std::filesystem::rename(directory.path() / ("new-" + name), directory.path() / name);
  };
  const DirectoryWatch watch(loop, directory.path(), any, [&] {
    if (++arrivals == 2) return loop.stop();
    move_in("second");
  });
  loop.post([&] { move_in("first"); });
  loop.run();
  EXPECT_EQ(arrivals, 2u);
}

TEST(DirectoryWatch, IsSilentAboutNamesThatNobodyWants) {
  const test::TemporaryDirectory directory;
  AsioLoop loop;
  std::vector<std::string> asked;
  const auto wanted = [&asked](std::string_view name) { return asked.emplace_back(name) == "wanted"; };
  unsigned arrivals = 0;
  const DirectoryWatch watch(loop, directory.path(), wanted, [&] {
    ++arrivals;
    loop.stop();
  });
  const auto move_in = [&](const std::string& name) {
    std::ofstream(directory.path() / ("new-" + name)) << "text";
    std::filesystem::rename(directory.path() / ("new-" + name), directory.path() / name);
  };
  move_in("odd");
  loop.post([&] { loop.post([&] { move_in("wanted"); }); });
  loop.run();
  EXPECT_EQ(arrivals, 1u);
  EXPECT_EQ(asked, (std::vector<std::string>{"odd", "wanted"}));
}

TEST(DirectoryWatch, IsSilentOnceItIsGone) {
  const test::TemporaryDirectory directory;
  AsioLoop loop;
  auto watch =
      std::make_unique<DirectoryWatch>(loop, directory.path(), any, [] { ADD_FAILURE() << "a call"; });
  std::ofstream(directory.path() / "new-one") << "text";
  std::filesystem::rename(directory.path() / "new-one", directory.path() / "one");
  watch.reset();
  loop.post([&] { loop.post([&] { loop.stop(); }); });
  loop.run();
}

TEST(DirectoryWatch, SaysWhatItCannotWatch) {
  AsioLoop loop;
  EXPECT_THROW(DirectoryWatch(loop, "/nonexistent/folder", any, [] {}), std::system_error);
}

}  // namespace
}  // namespace relayd::net
