#include "shared/disk/posix_disk.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include "support/temporary_directory.hpp"

// The linker leads fsync and posix_fadvise here: whether they were called shows in nothing else.
namespace {

std::vector<ino_t> synced;
std::vector<int> advice;

}  // namespace

extern "C" int __real_fsync(int descriptor);
extern "C" int __wrap_fsync(int descriptor) {
  struct stat status {};
  if (::fstat(descriptor, &status) == 0) synced.push_back(status.st_ino);
  return __real_fsync(descriptor);
}

extern "C" int __real_posix_fadvise64(int descriptor, off_t offset, off_t length, int what);
extern "C" int __wrap_posix_fadvise64(int descriptor, off_t offset, off_t length, int what) {
  if (offset == 0 && length == 0) advice.push_back(what);
  return __real_posix_fadvise64(descriptor, offset, length, what);
}

namespace relayd::disk {
namespace {

using testing::ElementsAre;

class PosixDiskTest : public testing::Test {
 protected:
  void SetUp() override {
    synced.clear();
    advice.clear();
    ASSERT_TRUE(disk.hold(path));
  }

  std::string content(File& file) {
    std::string bytes(file.size(), '\0');
    EXPECT_EQ(file.read_at(0, bytes.data(), bytes.size()), bytes.size());
    return bytes;
  }

  static std::errc error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const DiskError& error) {
      return static_cast<std::errc>(error.code().value());
    }
    return {};
  }

  test::TemporaryDirectory directory;
  const std::string path = (directory.path() / "queue").string();
  PosixDisk disk;
};

TEST_F(PosixDiskTest, PiecesAreWrittenOneAfterTheOther) {
  const auto file = disk.create("file");
  file->write_at(2, std::vector<std::string_view>{"ab", "", "cde"});
  file->write_at(0, "12");
  file->sync_data();
  EXPECT_EQ(content(*file), "12abcde");
}

TEST_F(PosixDiskTest, MorePiecesThanTheKernelTakesAtOnceAreWritten) {
  const std::string piece = "0123456789";
  const std::vector<std::string_view> pieces(3 * IOV_MAX + 7, piece);
  const auto file = disk.create("file");
  file->write_at(0, pieces);
  EXPECT_EQ(file->size(), pieces.size() * piece.size());
  std::string last(20, '\0');
  EXPECT_EQ(file->read_at(file->size() - 10, last.data(), last.size()), 10U);
  EXPECT_EQ(last.substr(0, 10), piece);
}

TEST_F(PosixDiskTest, WhatIsCachedIsReadWithoutWaitingAndNothingElse) {
  const auto file = disk.create("file");
  file->write_at(0, "12345");
  std::string bytes(5, '\0');
  EXPECT_TRUE(file->read_now(0, bytes.data(), 5));
  EXPECT_EQ(bytes, "12345");
  EXPECT_FALSE(file->read_now(1, bytes.data(), 5));
}

TEST_F(PosixDiskTest, NamesAreMadeMovedListedAndRemoved) {
  disk.make_directory("folder");
  disk.make_directory("folder");
  disk.create("folder/b");
  disk.create("folder/a");
  EXPECT_THAT(disk.list("folder"), ElementsAre("a", "b"));
  disk.rename("folder/b", "folder/c");
  disk.remove("folder/a");
  disk.sync_directory("folder");
  disk.sync_directory(".");
  EXPECT_THAT(disk.list("folder"), ElementsAre("c"));
}

TEST_F(PosixDiskTest, FailuresSayWhichFileAndWhy) {
  disk.create("file");
  EXPECT_EQ(error_of([&] { disk.create("file"); }), std::errc::file_exists);
  EXPECT_EQ(error_of([&] { disk.open("none"); }), std::errc::no_such_file_or_directory);
  EXPECT_EQ(error_of([&] { disk.remove("none"); }), std::errc::no_such_file_or_directory);
  EXPECT_EQ(error_of([&] { disk.list("file"); }), std::errc::not_a_directory);
  try {
    disk.open("none");
  } catch (const DiskError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("none"));
  }
}

TEST_F(PosixDiskTest, ASymbolicLinkIsNotFollowed) {
  const std::filesystem::path outside = directory.path() / "outside";
  std::ofstream(outside) << "secret";
  std::filesystem::create_symlink(outside, path + "/link");
  EXPECT_EQ(error_of([&] { disk.open("link"); }), std::errc::too_many_symbolic_link_levels);
}

TEST_F(PosixDiskTest, OneHolderAtATime) {
  PosixDisk other;
  EXPECT_FALSE(other.hold(path));
  EXPECT_TRUE(disk.hold(path));  // again by the same one
  disk = PosixDisk();
  EXPECT_TRUE(other.hold(path));
}

TEST_F(PosixDiskTest, TheNameOfADirectoryThatItMadeIsSynced) {
  struct stat parent {};
  ASSERT_EQ(::stat(directory.path().c_str(), &parent), 0);
  EXPECT_THAT(synced, testing::Contains(parent.st_ino));
}

TEST_F(PosixDiskTest, AWholeFileLeavesTheCacheAndKeepsItsContent) {
  const auto file = disk.create("file");
  file->write_at(0, "12345");
  file->sync_data();
  file->forget_cached();
  EXPECT_THAT(advice, ElementsAre(POSIX_FADV_DONTNEED));
  EXPECT_EQ(content(*file), "12345");
}

TEST_F(PosixDiskTest, ALargeFileIsDiscardedWithItsNameAndItsBlocks) {
  const auto file = disk.create("file");
  file->write_at(0, std::string(5 << 20, 'x'));
  disk.discard("file");
  EXPECT_EQ(error_of([&] { disk.open("file"); }), std::errc::no_such_file_or_directory);
  EXPECT_EQ(file->size(), 0U);
}

TEST_F(PosixDiskTest, AFileKeepsItsContentWhenThePreallocationGoes) {
  const auto file = disk.create("file");
  file->write_at(0, "12345");
  file->drop_preallocation();
  EXPECT_EQ(file->size(), 5U);
  EXPECT_EQ(content(*file), "12345");
}

TEST_F(PosixDiskTest, FreeSpaceIsTold) {
  EXPECT_GT(disk.free_space(), 0_B);
}

}  // namespace
}  // namespace relayd::disk
