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

TEST(DirectoryWatch, TellsOfEachChangeOfTheNamesItHas) {
  const test::TemporaryDirectory directory;
  const std::filesystem::path file = directory.path() / "file";
  AsioLoop loop;
  std::vector<std::function<void()>> steps = {
      [&] { std::ofstream(file) << "made"; },
      [&] { std::ofstream(file, std::ios::app) << "changed"; },
      [&] { std::filesystem::permissions(file, std::filesystem::perms::owner_read); },
      [&] { std::filesystem::rename(file, directory.path() / "other"); },
      [&] { std::filesystem::rename(directory.path() / "other", file); },
      [&] { std::filesystem::remove(file); },
  };
  std::size_t done = 0;
  const auto step = [&] {
    std::ofstream(directory.path() / "stranger") << "text";
    steps[done++]();
  };
  bool posted = true;
  const DirectoryWatch watch(loop, {{directory.path(), {"file"}}}, [&] {
    if (std::exchange(posted, true)) return;  // more of the same step
    if (done == steps.size()) return loop.stop();
    loop.post([&] {
      posted = false;
      step();
    });
  });
  EXPECT_TRUE(watch.lacks().empty());
  loop.post([&] {
    posted = false;
    step();
  });
  loop.run();
  EXPECT_EQ(done, steps.size());
}

TEST(DirectoryWatch, NamesTheDirectoriesThatItLeavesOut) {
  const test::TemporaryDirectory directory;
  AsioLoop loop;
  const DirectoryWatch watch(loop, {{directory.path(), {"file"}}, {"/nonexistent/folder", {"file"}}},
                             [&loop] { loop.stop(); });
  EXPECT_EQ(watch.lacks(), std::vector<std::string>{"watch /nonexistent/folder: No such file or directory"});
  loop.post([&] { std::ofstream(directory.path() / "file") << "text"; });
  loop.run();
}

}  // namespace
}  // namespace relayd::net
