#include "shared/disk/file_stamp.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/temporary_directory.hpp"

namespace relayd::disk {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

struct FileStampTest : testing::Test {
  test::TemporaryDirectory directory;
  fs::path folder = fs::canonical(directory.path());
  fs::path file = folder / "file";

  void write(const fs::path& where, const char* text) { std::ofstream(where) << text; }
  Places places(const fs::path& path) {
    Places found;
    add_places(path, found);
    return found;
  }
};

TEST_F(FileStampTest, IsTheSameUntilSomethingChanges) {
  write(file, "text");
  const std::string before = file_stamp(file);
  EXPECT_EQ(file_stamp(file), before);
  write(file, "longer text");
  EXPECT_NE(file_stamp(file), before);
}

TEST_F(FileStampTest, SeesAFileOfTheSameSizeAndTime) {
  write(file, "text");
  write(folder / "other", "TEXT");
  fs::last_write_time(folder / "other", fs::last_write_time(file));
  const std::string before = file_stamp(file);
  fs::rename(folder / "other", file);
  EXPECT_NE(file_stamp(file), before);
}

TEST_F(FileStampTest, SeesRights) {
  write(file, "text");
  const std::string before = file_stamp(file);
  fs::permissions(file, fs::perms::owner_read);
  EXPECT_NE(file_stamp(file), before);
}

TEST_F(FileStampTest, SeesThatAFileGoesAndComes) {
  const std::string absent = file_stamp(file);
  write(file, "text");
  EXPECT_NE(file_stamp(file), absent);
  fs::remove(file);
  EXPECT_EQ(file_stamp(file), absent);
}

TEST_F(FileStampTest, PlacesAreThatOfTheFile) {
  EXPECT_THAT(places(file), ElementsAre(Pair(folder, ElementsAre("file"))));  // which is not there yet
  write(file, "text");
  EXPECT_THAT(places(file), ElementsAre(Pair(folder, ElementsAre("file"))));
  EXPECT_THAT(places(folder / "." / ".." / folder.filename() / "file"),
              ElementsAre(Pair(folder, ElementsAre("file"))));
}

TEST_F(FileStampTest, PlacesAreThoseOfAllLinksOnTheWay) {
  fs::create_directories(folder / "version");
  write(folder / "version" / "file", "text");
  fs::create_symlink("version", folder / "..data");
  fs::create_symlink("..data/file", file);
  EXPECT_THAT(places(file), ElementsAre(Pair(folder, ElementsAre("..data", "file")),
                                        Pair(folder / "version", ElementsAre("file"))));
  fs::remove(folder / "..data");
  fs::create_symlink(folder / "nowhere" / "deep", folder / "..data");
  EXPECT_THAT(places(file), ElementsAre(Pair(folder, ElementsAre("..data", "file", "nowhere"))));
}

TEST_F(FileStampTest, LinksThatLeadRoundEnd) {
  fs::create_symlink("there", folder / "here");
  fs::create_symlink("here", folder / "there");
  EXPECT_THAT(places(folder / "here"), ElementsAre(Pair(folder, ElementsAre("here", "there"))));
  EXPECT_THAT(places("/"), IsEmpty());
}

}  // namespace
}  // namespace relayd::disk
