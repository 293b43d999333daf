#include "support/forgetting_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

namespace relayd::test {
namespace {

using Fault = ForgettingDisk::Fault;
using testing::ElementsAre;
using testing::Pair;

constexpr std::size_t block = 4096;

class ForgettingDiskTest : public testing::Test {
 protected:
  // The errno that the call throws; 0: none.
  static int error_of(const std::function<void()>& call) {
    try {
      call();
    } catch (const disk::DiskError& error) {
      return error.code().value();
    }
    return 0;
  }

  // A file of the disk's that holds those bytes, synced and named for ever.
  std::unique_ptr<disk::File> keep(const std::string& path, const std::string& bytes) {
    auto file = disk.create(path);
    file->write_at(0, bytes);
    file->sync_data();
    disk.sync_directory(".");
    return file;
  }

  std::string content(const std::string& path) {
    const auto file = disk.open(path);
    std::string bytes(file->size(), '?');
    EXPECT_EQ(file->read_at(0, bytes.data(), bytes.size()), bytes.size());
    return bytes;
  }

  static int read_error(disk::File& file, std::uint64_t offset, std::size_t size) {
    std::string bytes(size, '?');
    const int error = error_of([&] { file.read_at(offset, bytes.data(), size); });
    EXPECT_EQ(file.read_now(offset, bytes.data(), size), error == 0);
    return error;
  }

  ForgettingDisk disk;
};

TEST_F(ForgettingDiskTest, AKillKeepsWhatWasWrittenAndAPowerCutWhatWasSynced) {
  keep("file", "old")->write_at(0, "new");
  disk.create("name");
  disk.revive();
  EXPECT_EQ(content("file"), "new");
  EXPECT_THAT(disk.list("."), ElementsAre("file", "name"));
  disk.restart(0);
  EXPECT_EQ(content("file"), "old");
  EXPECT_THAT(disk.list("."), ElementsAre("file"));
}

TEST_F(ForgettingDiskTest, AfterAFailedSyncTheCacheLiesUntilItIsForgotten) {
  for (const bool forgotten : {false, true}) {
    const auto file = keep("file", std::string(512, 'a') + std::string(512, 'b'));
    file->write_at(0, std::string(512, 'A'));
    disk.arm(1, Fault::fails_once);
    EXPECT_EQ(error_of([&] { file->sync_data(); }), EIO);
    file->write_at(512, std::string(512, 'B'));
    disk.revive();
    EXPECT_EQ(content("file"), std::string(512, 'A') + std::string(512, 'B'));
    if (forgotten) {
      file->forget_cached();
      EXPECT_EQ(content("file"), std::string(512, 'a') + std::string(512, 'B')) << "dirty is not clean";
    }
    file->sync_data();
    disk.restart(0);
    EXPECT_EQ(content("file"), std::string(512, 'a') + std::string(512, 'B'))
        << "what was lost is not written";
    disk.remove("file");
  }
}

TEST_F(ForgettingDiskTest, AForgottenFileKeepsItsSizeWithZeroesWhereTheDiskHasNothing) {
  const auto file = keep("file", "abc");
  file->write_at(3, std::string(1000, 'x'));
  disk.arm(1, Fault::fails_once);
  EXPECT_EQ(error_of([&] { file->sync_data(); }), EIO);
  file->forget_cached();
  EXPECT_EQ(content("file"), "abc" + std::string(1000, '\0'));
  disk.restart(0);
  EXPECT_EQ(content("file"), "abc");
}

TEST_F(ForgettingDiskTest, WhatIsSyncedOrDirtySurvivesForgetting) {
  const auto file = keep("file", std::string(700, 's'));
  file->forget_cached();
  EXPECT_EQ(content("file"), std::string(700, 's'));
  file->write_at(0, "d");
  file->forget_cached();
  EXPECT_EQ(content("file"), "d" + std::string(699, 's'));
}

TEST_F(ForgettingDiskTest, ReadsFailByRangeUntilTheyAreHealed) {
  const auto file = keep("file", std::string(1000, 'x'));
  keep("other", std::string(1000, 'x'));
  disk.fail_reads("file", 100, 200);
  disk.fail_reads("file", 900, 901);
  EXPECT_EQ(read_error(*file, 0, 100), 0);
  EXPECT_EQ(read_error(*file, 0, 101), EIO);
  EXPECT_EQ(read_error(*file, 199, 1), EIO);
  EXPECT_EQ(read_error(*file, 200, 700), 0);
  EXPECT_EQ(read_error(*file, 200, 701), EIO);
  EXPECT_EQ(read_error(*disk.open("other"), 0, 1000), 0);
  disk.heal_reads();
  EXPECT_EQ(read_error(*file, 0, 1000), 0);
}

TEST_F(ForgettingDiskTest, ABadRangeOutlivesKillCutAndRename) {
  keep("file", "12345");
  disk.fail_reads("file", 2, 3);
  disk.revive();
  disk.restart(0);
  EXPECT_EQ(read_error(*disk.open("file"), 0, 5), EIO);
  disk.rename("file", "moved");
  keep("file", "12345");
  EXPECT_EQ(read_error(*disk.open("moved"), 0, 5), EIO);
  EXPECT_EQ(read_error(*disk.open("file"), 0, 5), 0);
}

TEST_F(ForgettingDiskTest, AllReadsFailWhenToldSo) {
  const auto file = keep("file", "12345");
  disk.fail_reads(ENXIO);
  EXPECT_EQ(read_error(*file, 0, 5), ENXIO);
  disk.fail_reads(0);
  EXPECT_EQ(read_error(*file, 0, 5), 0);
}

TEST_F(ForgettingDiskTest, BlocksAreTakenWhenAWriteFirstTouchesThem) {
  disk.set_capacity({10 * block});
  const auto file = disk.create("file");
  EXPECT_EQ(disk.free_space().count, 10 * block);
  file->write_at(100 * block - 1, "ab");  // a hole, and both sides of a border
  EXPECT_EQ(disk.free_space().count, 8 * block);
  file->write_at(99 * block, std::string(2 * block, 'c'));
  EXPECT_EQ(disk.free_space().count, 8 * block);
  EXPECT_EQ(disk.allocated().count, 2 * block);
}

TEST_F(ForgettingDiskTest, AWriteThatNeedsMoreThanThereIsWritesWhatFits) {
  disk.set_capacity({3 * block});
  const auto file = disk.create("file");
  file->write_at(2 * block, "z");
  EXPECT_EQ(error_of([&] { file->write_at(block - 2, std::string(4 * block, 'x')); }), ENOSPC);
  EXPECT_EQ(disk.free_space(), 0_B);
  EXPECT_EQ(file->size(), 3 * block);
  EXPECT_EQ(content("file").substr(3 * block - 1), "x");
  // Where it has blocks it can still be written.
  file->write_at(0, std::string(3 * block, 'y'));
  EXPECT_EQ(error_of([&] { file->write_at(3 * block, "y"); }), ENOSPC);
  EXPECT_EQ(content("file"), std::string(3 * block, 'y'));
}

TEST_F(ForgettingDiskTest, AnArmedFaultIsTheOneReportedOnAFullDisk) {
  disk.set_capacity({block});
  const auto file = disk.create("file");
  disk.arm(1, Fault::fails_once, EDQUOT);
  EXPECT_EQ(error_of([&] { file->write_at(0, std::string(4 * block, 'x')); }), EDQUOT);
  EXPECT_EQ(file->size(), block);
}

TEST_F(ForgettingDiskTest, BlocksComeBackWithTheLastNameAndTheLastOpenFile) {
  disk.set_capacity({10 * block});
  auto file = keep("file", std::string(2 * block, 'x'));
  keep("fresh", "x");
  disk.rename("fresh", "file");
  EXPECT_EQ(disk.free_space().count, 7 * block) << "it is open";
  file.reset();
  EXPECT_EQ(disk.free_space().count, 9 * block);
  disk.remove("file");
  EXPECT_EQ(disk.free_space().count, 10 * block);
  EXPECT_EQ(disk.allocated(), 0_B);
}

TEST_F(ForgettingDiskTest, AKillClosesWhatHadNoName) {
  disk.set_capacity({10 * block});
  const auto file = keep("file", "x");
  disk.remove("file");
  EXPECT_EQ(disk.free_space().count, 9 * block);
  disk.revive();
  EXPECT_EQ(disk.free_space().count, 10 * block);
}

TEST_F(ForgettingDiskTest, TheCapacityHoldsAfterKillAndCut) {
  disk.set_capacity({4 * block});
  const auto file = keep("file", "x");
  file->write_at(block, std::string(2 * block, 'y'));
  disk.take_space({block});
  disk.revive();
  EXPECT_EQ(disk.free_space(), 0_B);
  EXPECT_EQ(error_of([&] { file->write_at(3 * block, "z"); }), ENOSPC);
  disk.restart(0);  // what was not synced has no blocks
  EXPECT_EQ(disk.free_space().count, 2 * block);
}

TEST_F(ForgettingDiskTest, ARemovalThatACutUndoesCanLeaveMoreThanThereIsRoomFor) {
  disk.set_capacity({2 * block});
  keep("first", std::string(2 * block, 'x'));
  disk.remove("first");
  const auto second = disk.create("second");
  second->write_at(0, std::string(2 * block, 'y'));
  disk.restart(1);
  EXPECT_EQ(disk.sizes().count("first"), 0U);
  EXPECT_EQ(disk.free_space(), 0_B);
  disk.remove("second");
  disk.restart(0);
  EXPECT_THAT(disk.sizes(), ElementsAre(Pair("second", 2 * block)));
  EXPECT_EQ(disk.free_space(), 0_B);
}

TEST_F(ForgettingDiskTest, AnotherProcessTakesWhatItAsksForAndGivesItBack) {
  disk.set_capacity({10 * block});
  const auto file = keep("file", "x");
  disk.take_space({2 * block + 1});
  EXPECT_EQ(disk.free_space().count, 6 * block);
  EXPECT_EQ(disk.allocated().count, block);
  disk.take_space({100 * block});
  EXPECT_EQ(disk.free_space(), 0_B);
  EXPECT_EQ(error_of([&] { file->write_at(block, "y"); }), ENOSPC);
  disk.remove("file");
  EXPECT_EQ(disk.free_space(), 0_B) << "open";
  disk.take_space(0_B);
  EXPECT_EQ(disk.free_space().count, 9 * block);
}

TEST_F(ForgettingDiskTest, WithoutACapacityTheFreeSpaceIsWhatWasSet) {
  disk.set_free_space(5_MiB);
  const auto file = keep("file", std::string(2 * block, 'x'));
  EXPECT_EQ(disk.free_space(), 5_MiB);
  EXPECT_EQ(disk.allocated().count, 2 * block);
}

TEST_F(ForgettingDiskTest, FilesAndDirectoriesNeedAnInode) {
  disk.set_inodes(2);
  disk.make_directory("folder");
  auto file = disk.create("folder/a");
  EXPECT_EQ(error_of([&] { disk.create("b"); }), ENOSPC);
  EXPECT_EQ(error_of([&] { disk.make_directory("more"); }), ENOSPC);
  EXPECT_EQ(error_of([&] { disk.make_directory("folder"); }), 0) << "it is there";
  EXPECT_EQ(error_of([&] { disk.create("folder/a"); }), EEXIST);
  disk.revive();
  EXPECT_EQ(error_of([&] { disk.create("b"); }), ENOSPC);
  disk.rename("folder/a", "c");
  disk.remove("c");
  disk.create("b");
  EXPECT_EQ(error_of([&] { disk.create("d"); }), ENOSPC);
  disk.set_inodes(3);
  disk.create("d");
  EXPECT_THAT(disk.list("."), ElementsAre("b", "d", "folder"));
}

TEST_F(ForgettingDiskTest, AKillEndsFaultsUnlessTheyAreToBeKept) {
  const auto file = keep("file", "x");
  disk.arm(1, Fault::fails_on, ENOSPC);
  EXPECT_EQ(error_of([&] { file->write_at(0, "y"); }), ENOSPC);
  disk.revive(true);
  EXPECT_EQ(error_of([&] { disk.create("other"); }), ENOSPC);
  disk.revive();
  EXPECT_EQ(error_of([&] { disk.create("other"); }), 0);
}

TEST_F(ForgettingDiskTest, AnArmedFaultCanWaitThroughAKill) {
  const auto file = keep("file", "x");
  disk.arm(2, Fault::power_fails);
  disk.revive(true);
  file->write_at(0, "y");
  EXPECT_EQ(error_of([&] { file->sync_data(); }), EIO);
  EXPECT_TRUE(disk.dead());
  disk.revive(true);
  EXPECT_FALSE(disk.dead());
  EXPECT_EQ(error_of([&] { file->sync_data(); }), 0);
}

}  // namespace
}  // namespace relayd::test
