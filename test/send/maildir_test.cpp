// Maildir over a disk that forgets, fails and is full.
#include "send/maildir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "send/client_fixture.hpp"
#include "shared/disk/posix_disk.hpp"
#include "support/forgetting_disk.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::send {
namespace {

using test::FakeDelivery;
using test::ForgettingDisk;
using test::make_envelope;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;

constexpr const char* message = "Subject: a\r\n\r\ntext\r\n";
constexpr const char* kept =
    "Return-Path: <ann@example.com>\nDelivered-To: bob@example.org\nSubject: a\n\ntext\n";

// Hands every call on, so that a test keeps the disk when the Maildir has gone.
class Shared final : public disk::Disk {
 public:
  explicit Shared(disk::Disk& disk) : disk_(disk) {}
  bool hold(const std::string& directory) override { return disk_.hold(directory); }
  std::unique_ptr<disk::File> create(const std::string& path) override { return disk_.create(path); }
  std::unique_ptr<disk::File> open(const std::string& path) override { return disk_.open(path); }
  void rename(const std::string& from, const std::string& to) override { disk_.rename(from, to); }
  void remove(const std::string& path) override { disk_.remove(path); }
  void make_directory(const std::string& path) override { disk_.make_directory(path); }
  void sync_directory(const std::string& path) override { disk_.sync_directory(path); }
  std::vector<std::string> list(const std::string& path) override { return disk_.list(path); }
  Bytes free_space() override { return disk_.free_space(); }
  bool persistent() override { return disk_.persistent(); }

 private:
  disk::Disk& disk_;
};

class MaildirTest : public testing::Test {
 protected:
  std::unique_ptr<Maildir> make(disk::Disk& on, const std::string& directory) {
    return std::make_unique<Maildir>(loop, workers, std::make_unique<Shared>(on),
                                     Maildir::Options{directory, "relay.example.com", [](std::string_view) {
                                                        return WallTime(std::chrono::seconds(1'700'000'000));
                                                      }});
  }
  std::string send(Maildir& maildir) {
    FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), message);
    delivery.mark = [this] { ++marks; };
    delivery.piece = 7;
    const Report report = run_task(maildir.send(delivery, nobody), &loop);
    EXPECT_EQ(report.recipients.size(), 1U);
    return test::shown(report.recipients.at(0).event);
  }
  bool open(Maildir& maildir) {
    const std::optional<Event> failed = run_task(maildir.open(), &loop);
    complaint = failed ? failed->text : "";
    return !failed;
  }
  // Of the parts that have any, "new/17…".
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& [path, size] : disk->sizes()) names.push_back(path);
    return names;
  }
  std::string content(const std::string& path) {
    const std::unique_ptr<disk::File> file = disk->open(path);
    std::string text(file->size(), '\0');
    file->read_at(0, text.data(), text.size());
    return text;
  }
  // A Maildir that is ready, and its calls from then on.
  std::unique_ptr<Maildir> ready() {
    std::unique_ptr<Maildir> maildir = make(*disk, "box");
    EXPECT_TRUE(open(*maildir));
    return maildir;
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};
  std::optional<ForgettingDisk> disk{std::in_place};
  Nobody nobody;
  int marks = 0;
  std::string complaint;
  const std::string name = "box/new/1700000000.M000000QmessageR0.relay.example.com,S=78";
};

TEST_F(MaildirTest, KeepsAMessageAsAFileOfNew) {
  const auto maildir = ready();
  EXPECT_THAT(send(*maildir), StartsWith("final_dot 250 2.0.0 Kept as new/1700000000.M"));
  EXPECT_THAT(files(), UnorderedElementsAre(name));
  EXPECT_EQ(content(name), kept);
  EXPECT_EQ(marks, 1);
}

TEST_F(MaildirTest, LosesNothingThatItHasConfirmed) {
  for (const unsigned seed : {0U, 1U, 2U, 3U}) {
    disk.emplace();
    const auto maildir = ready();
    ASSERT_THAT(send(*maildir), StartsWith("final_dot 250"));
    disk->restart(seed);
    EXPECT_EQ(content(name), kept) << seed;
  }
}

// Whatever call the power fails at, the next attempt leaves one whole file and nothing beside it.
TEST_F(MaildirTest, HasOneCopyAfterAPowerCutAtAnyCall) {
  for (std::size_t call = 1; call <= 12; ++call)
    for (const unsigned seed : {0U, 1U, 7U}) {
      disk.emplace();
      auto maildir = ready();
      disk->arm(call, ForgettingDisk::Fault::power_fails);
      const std::string said = send(*maildir);
      const bool confirmed = said.starts_with("final_dot 250");
      disk->restart(seed);
      if (confirmed) {
        EXPECT_EQ(content(name), kept) << call << " " << seed;
      }
      maildir = ready();
      ASSERT_THAT(send(*maildir), StartsWith("final_dot 250"));
      EXPECT_THAT(files(), UnorderedElementsAre(name)) << call << ' ' << seed;
      EXPECT_EQ(content(name), kept) << call << ' ' << seed;
    }
}

TEST_F(MaildirTest, StopsTheLaneWhereTheDiskCannotBeWritten) {
  for (const int error : {ENOSPC, EACCES, EROFS, EIO}) {
    disk.emplace();
    const auto maildir = ready();
    disk->arm(2, ForgettingDisk::Fault::fails_once, error);
    EXPECT_EQ(send(*maildir), "connect unreachable") << error;
    EXPECT_FALSE(maildir->usable());
    EXPECT_THAT(files(), IsEmpty());
    EXPECT_EQ(marks, 0);
  }
}

// It may be read already, and be moved to `cur`: so it is neither sent elsewhere nor again and again.
TEST_F(MaildirTest, IsInDoubtWhereTheNameMayNotBeDurable) {
  std::set<std::string> said;
  for (std::size_t call = 1; call <= 8; ++call) {
    disk.emplace();
    const auto maildir = ready();
    disk->arm(call, ForgettingDisk::Fault::fails_once, EIO);
    const std::string event = send(*maildir);
    const bool is_there = !files().empty();
    EXPECT_EQ(is_there, event.starts_with("final_dot")) << call << event;
    said.insert(event.substr(0, event.find_first_of("0123456789")));
  }
  EXPECT_TRUE(said.contains("final_dot broken"));
}

TEST_F(MaildirTest, LetsTheMessageWaitWhereTheQuotaIsUsedUp) {
  for (const int error : {EDQUOT, EFBIG}) {
    disk.emplace();
    const auto maildir = ready();
    disk->arm(2, ForgettingDisk::Fault::fails_once, error);
    EXPECT_THAT(send(*maildir), StartsWith("final_dot 452 4.2.2 The mailbox is full: "));
    EXPECT_TRUE(maildir->usable());
    EXPECT_THAT(files(), IsEmpty());
  }
}

TEST_F(MaildirTest, RefusesAMessageThatItHasDeliveredBefore) {
  const auto maildir = ready();
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}),
                        "Delivered-To: bob@example.org\r\n\r\ntext\r\n");
  const Report report = run_task(maildir->send(delivery, nobody), &loop);
  EXPECT_THAT(test::shown(report.recipients.at(0).event), StartsWith("final_dot 554 5.4.6 "));
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(MaildirTest, LeavesNothingOfAMessageThatCannotBeRead) {
  const auto maildir = ready();
  FakeDelivery delivery(make_envelope("ann@example.com", {"bob@example.org"}), message);
  delivery.unreadable = true;
  const Report report = run_task(maildir->send(delivery, nobody), &loop);
  EXPECT_EQ(test::shown(report.recipients.at(0).event), "data cancelled");
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(MaildirTest, RemovesWhatWasLeftInTmpForLong) {
  ready();
  const auto made = [this](const std::string& file) { disk->create("box/tmp/" + file); };
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(loop.wall_now().time_since_epoch());
  const std::string young = std::to_string(now.count() - 60) + ".M0QaR0.relay.example.com";
  const std::string old = std::to_string(now.count() - 37 * 3600) + ".M0QbR0.relay.example.com";
  const std::string foreign = std::to_string(now.count() - 37 * 3600) + ".M0QcR0.other.example.com";
  for (const std::string& file : {young, old, foreign}) made(file);
  ready();
  EXPECT_THAT(files(), UnorderedElementsAre("box/tmp/" + young, "box/tmp/" + foreign));
}

TEST_F(MaildirTest, RefusesADirectoryThatIsALinkOrAFile) {
  const test::TemporaryDirectory folder;
  const std::filesystem::path real = folder.path() / "real", link = folder.path() / "link";
  disk::PosixDisk posix;
  const auto maildir = make(posix, real.string());
  ASSERT_TRUE(open(*maildir)) << complaint;
  EXPECT_THAT(send(*maildir), StartsWith("final_dot 250"));
  EXPECT_EQ(std::filesystem::status(real).permissions(), std::filesystem::perms::owner_all);
  std::filesystem::create_directory_symlink(real, link);
  EXPECT_FALSE(open(*make(posix, link.string())));
  EXPECT_THAT(complaint, HasSubstr("is a link"));
  EXPECT_FALSE(open(*make(posix, (real / "absent/deep").string())));
  EXPECT_THAT(complaint, HasSubstr("No such file or directory"));
}

TEST_F(MaildirTest, RefusesADirectoryOfSomebodyElse) {
  const test::TemporaryDirectory folder;
  const bool is_root = ::geteuid() == 0;
  const std::string directory = is_root ? (folder.path() / "box").string() : "/usr";
  if (is_root) {
    std::filesystem::create_directory(directory);
    ASSERT_EQ(::chown(directory.c_str(), 65534, 65534), 0);
  }
  disk::PosixDisk posix;
  EXPECT_FALSE(open(*make(posix, directory)));
  EXPECT_THAT(complaint, HasSubstr("belongs to the user with the id"));
}

}  // namespace
}  // namespace relayd::send
