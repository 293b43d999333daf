// The drop folder: what a writer leaves is found whole, and nothing else that somebody may have put there is
// opened.
#include "drop/folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>

#include "drop/name.hpp"
#include "drop/writer.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::drop {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

class DropFolder : public testing::Test {
 protected:
  DropFolder() { make_folder(path); }

  std::string leave(std::string_view text) {
    Writer writer(path);
    writer.write(text);
    writer.commit();
    return Folder(path).list(10).names.back();
  }
  // A file that is not a writer's, under a name that could be one's.
  fs::path fresh() const { return fs::path(path) / make_name(wall_now()); }
  std::string fault_of(const fs::path& file, Bytes limit = 1_KiB) const {
    const Result<File> opened = Folder(path).open(file.filename(), limit);
    return opened ? "" : opened.error();
  }

  test::TemporaryDirectory parent_;
  const std::string path = parent_.path() / "drop";
};

TEST_F(DropFolder, IsForAllToWriteAndNobodyElseToRead) {
  EXPECT_EQ(fs::status(path).permissions(), fs::perms{03733});
  EXPECT_EQ(Folder(path).weakness(), "");
  fs::permissions(path, fs::perms{0733});
  EXPECT_THAT(Folder(path).weakness(), HasSubstr("remove"));
  fs::permissions(path, fs::perms{01777});
  EXPECT_THAT(Folder(path).weakness(), HasSubstr("list"));
}

TEST_F(DropFolder, ACommittedFileIsFoundWhole) {
  const std::string name = leave("one two");
  const Result<File> file = Folder(path).open(name, 1_KiB);
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(file->size, 7u);
  EXPECT_EQ(file->owner, ::getuid());
  char text[8] = "";
  EXPECT_EQ(::read(file->descriptor.number(), text, sizeof text), 7);
  EXPECT_STREQ(text, "one two");
  EXPECT_EQ(fs::status(fs::path(path) / name).permissions(), fs::perms{0640});
}

TEST_F(DropFolder, TheOldestComesFirst) {
  const std::string first = leave("1");
  const std::string second = leave("2");
  EXPECT_THAT(Folder(path).list(10).names, ElementsAre(first, second));
  EXPECT_THAT(Folder(path).list(1).names, ElementsAre(first));
}

TEST_F(DropFolder, OwnersTakeTurnsHoweverManyFilesOneHas) {
  const auto leave_for = [&](uid_t owner, int number) {
    const fs::path file = fs::path(path) / fmt::format("{}-{}", number, owner);
    std::ofstream(file) << "text";
    ASSERT_EQ(::chown(file.c_str(), owner, static_cast<gid_t>(-1)), 0);
  };
  for (int number = 9; number >= 1; --number) leave_for(1000, number);
  leave_for(1001, 8);
  leave_for(1001, 7);
  const Folder folder(path);
  EXPECT_THAT(folder.list(5).names, ElementsAre("1-1000", "7-1001", "2-1000", "8-1001"));
  EXPECT_THAT(folder.list(4, [](const std::string& name) { return name == "7-1001"; }).names,
              ElementsAre("1-1000", "8-1001", "2-1000"));
  EXPECT_THAT(folder.list(1).names, SizeIs(1));
  EXPECT_THAT(folder.list(100).names, SizeIs(11));
}

TEST_F(DropFolder, OfMoreOwnersThanNamesEachIsListedInItsTurn) {
  for (uid_t owner = 1000; owner < 1008; ++owner) {
    const fs::path file = fs::path(path) / std::to_string(owner);
    std::ofstream(file) << "text";
    ASSERT_EQ(::chown(file.c_str(), owner, static_cast<gid_t>(-1)), 0);
  }
  const Folder folder(path);
  const Listing first = folder.list(3);
  EXPECT_THAT(first.names, ElementsAre("1000", "1001", "1002"));
  EXPECT_FALSE(first.whole);
  const Listing second = folder.list(3, nullptr, first.next);
  EXPECT_THAT(second.names, ElementsAre("1003", "1004", "1005"));
  EXPECT_THAT(folder.list(3, nullptr, second.next).names, ElementsAre("1006", "1007", "1000"));
  EXPECT_TRUE(folder.list(8).whole);
}

TEST_F(DropFolder, TheOldestOfWhatAnOwnerHasAboveHisAllowanceIsNamed) {
  const auto leave_for = [&](uid_t owner, const std::string& name, std::size_t octets) {
    const fs::path file = fs::path(path) / name;
    std::ofstream(file) << std::string(octets, 'x');
    ASSERT_EQ(::chown(file.c_str(), owner, static_cast<gid_t>(-1)), 0);
  };
  for (const char* name : {"new-3", "new-1", "new-2", "3", "1", "2", "refused-1"}) leave_for(1000, name, 1);
  for (const char* name : {"new-4", "new-5", "new-6", "new-7"}) leave_for(0, name, 1);
  leave_for(1001, "new-8", 1);
  fs::create_directory(fs::path(path) / "new-0");
  const Folder folder(path);
  const auto names = [&](Kind kind, const Allowance& allowance) {
    const std::optional<Excess> excess = folder.excess(kind, allowance);
    return excess ? excess->names : std::vector<std::string>();
  };
  EXPECT_THAT(names(Kind::begun, {3, 1_GiB}), IsEmpty());
  EXPECT_THAT(names(Kind::begun, {1, 1_GiB}), ElementsAre("new-1", "new-2"));
  EXPECT_THAT(names(Kind::waiting, {2, 1_GiB}), ElementsAre("1"));
  EXPECT_THAT(names(Kind::set_aside, {0, 1_GiB}), ElementsAre("refused-1"));
  EXPECT_EQ(folder.excess(Kind::begun, {0, 1_GiB})->owner, 1000u);
  EXPECT_EQ(folder.excess(Kind::begun, {0, 1_GiB}, 1000)->owner, 1001u);
  EXPECT_FALSE(folder.excess(Kind::begun, {0, 1_GiB}, 1001));
  leave_for(1000, "refused-2", 100'000);
  EXPECT_THAT(names(Kind::set_aside, {2, 50_KiB}), ElementsAre("refused-1", "refused-2"));
  EXPECT_EQ(folder.remove_all({"new-1", "new-2", "new-0", "gone"}), 3u);  // one is an empty directory
  EXPECT_THAT(names(Kind::begun, {1, 1_GiB}), IsEmpty());
}

TEST_F(DropFolder, WhatIsGoneIsNoTrouble) {
  const fs::path file = fresh();
  EXPECT_THAT(fault_of(file), HasSubstr("gone"));
  EXPECT_EQ(Folder(path).set_aside(file.filename()), "");
}

TEST_F(DropFolder, OfAnotherUserIsNotUsed) {
  constexpr uid_t other = 65534;
  EXPECT_EQ(Folder(path).weakness(), "");
  ASSERT_EQ(::chown(path.c_str(), other, static_cast<gid_t>(-1)), 0);
  EXPECT_THAT(Folder(path).weakness(), HasSubstr("uid 65534"));  // root can use it
  ASSERT_EQ(::chown(path.c_str(), 0, static_cast<gid_t>(-1)), 0);
  fs::permissions(parent_.path(), fs::perms{0755});
  fs::permissions(path, fs::perms{0755});
  std::string complaint;
  ASSERT_EQ(::seteuid(other), 0);
  try {
    const Folder folder(path);
  } catch (const std::system_error& error) {
    complaint = error.what();
  }
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_THAT(complaint, HasSubstr("owned by uid 0: what was taken could not be removed; make it that of"));
}

TEST_F(DropFolder, AFileThatIsNotCommittedIsNotFoundAndGoesWithItsWriter) {
  {
    Writer writer(path);
    writer.write("half");
    EXPECT_THAT(Folder(path).list(10).names, IsEmpty());
    EXPECT_THAT(std::distance(fs::directory_iterator(path), {}), 1);
  }
  EXPECT_TRUE(fs::is_empty(path));
}

TEST_F(DropFolder, AWriterWithoutAFolderThrows) {
  EXPECT_THROW(Writer(path + "/none"), std::system_error);
}

TEST_F(DropFolder, OnlyANameThatAWriterGivesIsOpened) {
  const std::string good = make_name(wall_now());
  EXPECT_TRUE(is_name(good));
  for (const std::string& wrong : {std::string("mail"), std::string("../secret"), good + "x",
                                   "A" + good.substr(1), std::string(good).replace(16, 1, "/")}) {
    EXPECT_FALSE(is_name(wrong)) << wrong;
    EXPECT_NE(fault_of(wrong), "") << wrong;
  }
}

TEST_F(DropFolder, ASymbolicLinkIsNotFollowed) {
  const fs::path file = fresh();
  fs::create_symlink("/etc/passwd", file);
  EXPECT_THAT(fault_of(file), HasSubstr("symbolic link"));
}

TEST_F(DropFolder, AnotherNameForAFileIsNotOpened) {
  const fs::path other = parent_.path() / "other";
  std::ofstream(other) << "text";
  const fs::path file = fresh();
  fs::create_hard_link(other, file);
  EXPECT_THAT(fault_of(file), HasSubstr("another name"));
}

TEST_F(DropFolder, WhatIsNoFileIsNotWaitedFor) {
  const fs::path fifo = fresh();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0666), 0);
  EXPECT_THAT(fault_of(fifo), HasSubstr("no regular file"));
  const fs::path directory = fresh();
  fs::create_directory(directory);
  EXPECT_THAT(fault_of(directory), HasSubstr("no regular file"));
  const fs::path socket = fresh();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const disk::Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(listener.number(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(fault_of(socket), HasSubstr("no regular file"));
}

TEST_F(DropFolder, AFileThatMayNotBeReadIsNotOpened) {
  constexpr uid_t nobody = 65534;
  const fs::path file = fresh();
  std::ofstream(file) << "text";
  fs::permissions(file, fs::perms::none);
  const Folder folder(path);
  const int before = ::setfsuid(nobody);  // for root may read all; it is this thread's alone
  const Result<File> opened = folder.open(file.filename(), 1_KiB);
  ::setfsuid(static_cast<uid_t>(before));
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error(), HasSubstr("may not be read"));
}

TEST_F(DropFolder, WhatWasNeverFinishedIsRemovedByItsAge) {
  std::ofstream(fs::path(path) / "new-one") << "half";
  std::ofstream(fs::path(path) / "one") << "no writer's";
  fs::create_directory(fs::path(path) / "new-directory");
  fs::create_symlink("/etc/passwd", fs::path(path) / "new-link");
  const Folder folder(path);
  EXPECT_THAT(folder.remove_old(Kind::begun, wall_now() - std::chrono::hours(1)), IsEmpty());
  EXPECT_THAT(folder.remove_old(Kind::begun, wall_now() + std::chrono::hours(1)),
              testing::UnorderedElementsAre("new-one", "new-link", "new-directory"));
  EXPECT_THAT(folder.list(10).names, ElementsAre("one"));
  EXPECT_TRUE(fs::exists("/etc/passwd"));
}

// Its owner can say that it is from tomorrow.
TEST_F(DropFolder, AnAgeIsWhatTheSystemSays) {
  const fs::path file = fs::path(path) / "new-one";
  std::ofstream(file) << "half";
  fs::last_write_time(file, fs::file_time_type::clock::now() + std::chrono::hours(10'000));
  EXPECT_THAT(Folder(path).remove_old(Kind::begun, wall_now() + std::chrono::hours(1)),
              ElementsAre("new-one"));
}

// It may be mail that a program was told to be taken, and all of it was refused for one wrong line.
TEST_F(DropFolder, HoweverMuchWasSetAsideStaysForItsTime) {
  const Folder folder(path);
  for (int i = 0; i < 1'500; ++i) {
    std::ofstream(fs::path(path) / std::to_string(i)) << "text";
    folder.set_aside(std::to_string(i));
  }
  EXPECT_THAT(folder.remove_old(Kind::set_aside, wall_now() - std::chrono::hours(1)), IsEmpty());
}

TEST_F(DropFolder, WhatWasSetAsideGoesByItsAge) {
  std::ofstream(fs::path(path) / "one") << "text";
  fs::create_directory(fs::path(path) / "two");
  fs::create_directory(fs::path(path) / "full");
  std::ofstream(fs::path(path) / "full" / "file") << "text";
  const Folder folder(path);
  const std::string one = folder.set_aside("one");
  const std::string two = folder.set_aside("two");
  const std::string full = folder.set_aside("full");
  EXPECT_THAT(folder.remove_old(Kind::set_aside, wall_now() - std::chrono::hours(1)), IsEmpty());
  EXPECT_THAT(folder.remove_old(Kind::set_aside, wall_now() + std::chrono::hours(1)),
              testing::UnorderedElementsAre(one, two));
  EXPECT_TRUE(fs::exists(fs::path(path) / full / "file"));
}

TEST_F(DropFolder, AHugeFileIsNotOpened) {
  const fs::path file = fresh();
  std::ofstream(file) << "text";
  EXPECT_EQ(fault_of(file, 4_B), "");
  EXPECT_THAT(fault_of(file, 3_B), HasSubstr("at most 3"));
}

TEST_F(DropFolder, WhatIsSetAsideStaysAndIsNotFoundAgain) {
  fs::create_directory(fs::path(path) / "anything");
  const Folder folder(path);
  const std::string now_called = folder.set_aside("anything");
  EXPECT_TRUE(fs::exists(fs::path(path) / now_called));
  EXPECT_THAT(folder.list(10).names, IsEmpty());
}

TEST_F(DropFolder, WhatWasRemovedIsGone) {
  const std::string name = leave("text");
  const Folder folder(path);
  EXPECT_TRUE(folder.remove(name));
  EXPECT_TRUE(fs::is_empty(path));
  EXPECT_TRUE(folder.remove(name));
  fs::create_directory(fs::path(path) / name);
  EXPECT_FALSE(folder.remove(name));
}

TEST_F(DropFolder, ALinkInItsPlaceIsNoFolder) {
  const std::string link = parent_.path() / "link";
  fs::create_directory_symlink(path, link);
  EXPECT_THROW(Folder{link}, std::system_error);
}

}  // namespace
}  // namespace relayd::drop
