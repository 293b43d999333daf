// The collector: what becomes of what is in the folder, and when it looks.
#include "relay/collector.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "relay/collector_fixture.hpp"

namespace relayd {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using test::CollectorTest;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;
using namespace std::string_literals;
namespace fs = std::filesystem;

TEST_F(CollectorTest, WhatAWriterLeftIsTakenAndRemoved) {
  leave();
  leave(batch("..\r\n.\r\n", "root"));
  start();
  ASSERT_EQ(intake.taken.size(), 2u);
  EXPECT_EQ(intake.taken[0].envelope.sender, "ann@example.com");
  EXPECT_EQ(intake.taken[0].envelope.recipients.at(0).address, "bob@example.org");
  EXPECT_EQ(intake.taken[0].content, "text\r\n");
  EXPECT_EQ(intake.taken[0].facts.client, "uid:" + std::to_string(::getuid()));
  EXPECT_EQ(intake.taken[1].content, ".\r\n");
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, ItLooksWhenItIsToldToAndNowAndThen) {
  start();
  leave();
  look();
  EXPECT_EQ(intake.taken.size(), 1u);
  leave();
  advance(seconds(9));
  EXPECT_EQ(intake.taken.size(), 1u);
  advance(seconds(1));
  EXPECT_EQ(intake.taken.size(), 2u);
}

TEST_F(CollectorTest, LooksThatFollowEachOtherKeepTheirDistance) {
  start();
  advance(milliseconds(249));
  leave();
  look_again();
  EXPECT_THAT(intake.taken, IsEmpty());
  advance(milliseconds(1));
  EXPECT_EQ(intake.taken.size(), 1u);
  intake.on_begin = [&] { collector_->look(); };  // while it looks
  leave();
  look();
  EXPECT_EQ(intake.taken.size(), 2u);
  leave();
  intake.on_begin = nullptr;
  advance(milliseconds(249));
  EXPECT_EQ(intake.taken.size(), 2u);
  advance(milliseconds(1));
  EXPECT_EQ(intake.taken.size(), 3u);
}

TEST_F(CollectorTest, AFolderOfThousandsIsEmptiedAtOnce) {
  for (int i = 0; i < 1100; ++i) std::ofstream(fresh()) << batch("text\r\n.\r\n");
  start();
  EXPECT_EQ(intake.taken.size(), 1100u);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, SoIsOneOfThousandsAndOneMoreOwner) {
  leave_numbered(1'200);
  leave_for(1001);
  start();
  EXPECT_EQ(intake.taken.size(), 1'201u);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, WhatIsNoMessageIsSetAsideOnce) {
  const fs::path secret = parent_.path() / "secret";
  std::ofstream(secret) << batch("secret\r\n.\r\n");
  fs::create_symlink(secret, fresh());
  fs::create_symlink(parent_.path() / "nothing", fresh());
  fs::create_hard_link(secret, fresh());
  fs::create_directory(fresh());
  ASSERT_EQ(::mkfifo(fresh().c_str(), 0666), 0);
  const fs::path device = fresh();
  if (::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 5)) != 0) fs::create_symlink("/dev/zero", device);
  for (const std::string& odd :
       {"mail"s, "\n"s, "\xff\x1b[31m"s, "-rf"s, "refused"s, "new"s, std::string(255, 'x')})
    std::ofstream(fs::path(path) / odd) << batch("text\r\n.\r\n");
  const fs::path huge = fresh();
  std::ofstream(huge) << batch("text\r\n.\r\n");
  fs::resize_file(huge, std::uintmax_t{1} << 40);
  start();
  EXPECT_THAT(intake.taken, IsEmpty());
  const std::vector<std::string> aside = left();
  EXPECT_EQ(aside.size(), 14u);
  EXPECT_THAT(aside, Each(StartsWith("refused-")));
  look();
  EXPECT_THAT(left(), UnorderedElementsAreArray(aside));
}

TEST_F(CollectorTest, ADamagedFileIsSetAsideOnce) {
  const std::string good = batch("text\r\n.\r\n");
  const std::vector<std::string> texts = {batch("no end\r\n"),     batch("no end\r\n.\r"),    good.substr(5),
                                          good.substr(0, 30),      "what is this\r\n",        "",
                                          batch("a\0b\r\n.\r\n"s), std::string(100'000, '\0')};
  for (const std::string& text : texts) leave(text);
  start();
  EXPECT_THAT(intake.taken, IsEmpty());
  const std::vector<std::string> aside = left();
  EXPECT_EQ(aside.size(), texts.size());
  EXPECT_THAT(aside, Each(StartsWith("refused-")));
  look();
  EXPECT_THAT(left(), UnorderedElementsAreArray(aside));
}

TEST_F(CollectorTest, WhatIsRefusedForGoodIsSetAside) {
  intake.refusals["recipient"] = {550, {5, 7, 1}, "Not to him"};
  leave();
  leave();
  start();
  EXPECT_EQ(intake.taken.size(), 1u);
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
}

TEST_F(CollectorTest, WhatIsRefusedForNowWaitsWithTheRest) {
  intake.refusals["commit"] = {452, {4, 3, 1}, "The disk is full"};
  leave();
  leave();
  start();
  EXPECT_EQ(left().size(), 2u);
  leave();
  look();  // news is no reason to ask a full disk again
  advance(seconds(29));
  EXPECT_THAT(intake.taken, IsEmpty());
  advance(seconds(1));
  EXPECT_EQ(intake.taken.size(), 3u);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, OthersGoOnWhereOneIsRefusedForNow) {
  const smtp::Reply later{450, {4, 7, 1}, "Not today"};
  const std::string file = leave();
  intake.refusals["recipient"] = later;
  leave();
  start();
  EXPECT_EQ(intake.taken.size(), 1u);
  EXPECT_THAT(left(), ElementsAre(file));
  leave();
  look();
  EXPECT_EQ(intake.taken.size(), 2u);
  intake.refusals["recipient"] = later;
  looks(3);
  EXPECT_THAT(intake.refusals, IsEmpty());
  looks(5);  // it waits twice as long as before
  EXPECT_EQ(intake.taken.size(), 2u);
  looks(1);
  EXPECT_EQ(intake.taken.size(), 3u);
  EXPECT_THAT(left(), IsEmpty());
}

// A file that is too large for what is left of the disk.
TEST_F(CollectorTest, AFullDiskForOneOwnerIsNotOneForTheNext) {
  intake.refusals["commit"] = {452, {4, 3, 1}, "The disk is full"};
  for (const uid_t owner : {1000, 1000, 1001, 1001}) leave_for(owner);
  start();
  ASSERT_EQ(intake.taken.size(), 2u);
  EXPECT_EQ(intake.taken[0].facts.client, "uid:1001");
  EXPECT_EQ(intake.taken[1].facts.client, "uid:1001");
  advance(seconds(30));
  EXPECT_EQ(intake.taken.size(), 4u);
}

TEST_F(CollectorTest, ANameThatVanishesHoldsUpNothing) {
  leave();
  const std::string second = leave();
  leave();
  intake.on_begin = [&] { fs::remove(fs::path(path) / second); };
  start();
  EXPECT_EQ(intake.taken.size(), 2u);
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, TooManyRecipientsAreTooManyTheNextTimeToo) {
  config_->limits.recipients = 1;
  mail::Envelope envelope;
  envelope.recipients = {drop::recipients_limit, {"a@x.example", "", ""}};  // as a writer may
  leave(drop::head(envelope, 6) + "text\r\n.\r\n");
  envelope.recipients.push_back({"b@x.example", "", ""});
  leave(drop::head(envelope, 6) + "text\r\n.\r\n");
  start();
  EXPECT_EQ(intake.taken.size(), 1u);
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
}

TEST_F(CollectorTest, WhomTheSocketDoesNotAllowTheFolderDoesNotEither) {
  config::Listener& socket = config_->listeners.emplace_back();
  socket.unix_path = "/run/relayd/smtp.sock";
  socket.allow_uids = {::getuid() + 1};
  leave();
  start();
  EXPECT_THAT(intake.taken, IsEmpty());
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
  stop();
  config_->listeners.emplace_back().unix_path = "/run/relayd/all.sock";
  leave();
  start();
  EXPECT_EQ(intake.taken.size(), 1u);
}

TEST_F(CollectorTest, NorDoesItAdmitWhomAnInheritedSocketDoesNotAllow) {
  config::Listener& socket = config_->listeners.emplace_back();
  socket.address = "fd:smtp";
  socket.allow_uids = {1000};
  leave_for(1000);
  leave_for(1001);
  start();
  ASSERT_EQ(intake.taken.size(), 1u);
  EXPECT_EQ(intake.taken[0].facts.client, "uid:1000");
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
}

TEST_F(CollectorTest, WhereTheSocketWantsALoginTheFolderIsNoWayAroundIt) {
  config::Listener& socket = config_->listeners.emplace_back();
  socket.unix_path = "/run/relayd/smtp.sock";
  socket.auth = config::ListenerAuth::required;
  leave();
  start();
  EXPECT_THAT(intake.taken, IsEmpty());
}

TEST_F(CollectorTest, WhatWasRefusedGoesWhenItsTimeIsOver) {
  leave("what is this\r\n");
  loop.set_wall(wall_now());
  start();
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
  loop.set_wall(wall_now() + config_->queue.keep_failed - hours(2));
  advance(hours(1));
  advance(seconds(10));  // a look that began before is over
  EXPECT_EQ(left().size(), 1u);
  loop.set_wall(wall_now() + config_->queue.keep_failed + hours(1));
  advance(hours(1));
  advance(seconds(10));
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(CollectorTest, ADirectoryInThePlaceOfWhatWasTakenIsSetAside) {
  const fs::path file = fs::path(path) / leave();
  intake.on_begin = [&] {
    fs::remove(file);
    fs::create_directory(file);
  };
  start();
  EXPECT_EQ(intake.taken.size(), 1u);
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
  EXPECT_EQ(warnings("drop_trouble"), 0u);
}

TEST_F(CollectorTest, AFileThatGrowsHasTheLimitOfAnyMessage) {
  const fs::path file = fs::path(path) / leave(batch("text\r\n"));
  intake.limit = 100_KiB;
  intake.on_begin = [&] { std::ofstream(file, std::ios::app) << std::string(300'000, 'x') << "\r\n.\r\n"; };
  start();
  EXPECT_THAT(intake.taken, IsEmpty());
  EXPECT_THAT(left(), ElementsAre(StartsWith("refused-")));
}

TEST_F(CollectorTest, WhatAWriterNeverFinishedGoesAfterADay) {
  fs::create_directory(fs::path(path) / "new-directory");
  std::ofstream(fs::path(path) / "new-directory" / "file") << "its own";
  std::ofstream(fs::path(path) / "new-file") << "half";
  loop.set_wall(wall_now() + hours(23));
  start();
  EXPECT_THAT(left(), UnorderedElementsAre("new-file", "new-directory"));
  advance(hours(2));
  advance(seconds(10));  // a look that began before is over
  EXPECT_THAT(left(), ElementsAre("new-directory"));
}

}  // namespace
}  // namespace relayd
