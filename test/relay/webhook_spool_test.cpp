// WebhookSpool: events that wait on disk for a receiver, on a disk that forgets and fails.
#include "relay/webhook_spool.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <memory>

#include "relay/webhook_world.hpp"
#include "shared/disk/whole_file.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using config::WebhookEvent;
using tell::WebhookBatch;
using test::ForgettingDisk;
using test::messages_in;
using testing::ElementsAre;
using testing::IsEmpty;

class WebhookSpoolTest : public testing::Test {
 protected:
  void SetUp() override { start(); }

  void start() { spool = std::make_unique<WebhookSpool>(disk, "webhooks/here"); }
  void cut_power(unsigned seed = 0) {
    spool.reset();
    disk.restart(seed);
    start();
  }
  void append(int from, int to, WebhookEvent what = WebhookEvent::delivered) {
    for (int i = from; i < to; ++i) spool->append(test::webhook_line(i, now, what), size);
  }
  // All that waits, taken at once.
  std::vector<std::string> take_all() {
    std::vector<std::string> all;
    for (bool taken = false;; taken = true) {
      const std::optional<WebhookBatch> batch = spool->next(taken, now);
      if (!batch) return all;
      for (const std::string& each : messages_in(batch->body)) all.push_back(each);
    }
  }
  std::uint64_t octets() {
    std::uint64_t sum = 0;
    for (const auto& [path, count] : disk.sizes())
      if (path.ends_with(".jsonl")) sum += count;
    return sum;
  }

  ForgettingDisk disk;
  Bytes size = 64_KiB;
  WallTime now{1'790'000'000s};
  std::unique_ptr<WebhookSpool> spool;
};

TEST_F(WebhookSpoolTest, WhatWasAppendedOutlivesAPowerCut) {
  append(1, 4);
  cut_power();
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002", "m000003"));
  EXPECT_EQ(spool->waiting(), 0U);
}

TEST_F(WebhookSpoolTest, WhatWasTakenDoesNotComeAgain) {
  append(1, 4);
  EXPECT_FALSE(take_all().empty());
  cut_power();
  append(4, 5);
  EXPECT_THAT(take_all(), ElementsAre("m000004"));
}

TEST_F(WebhookSpoolTest, ARequestIsTheSameAfterAPowerCutThoughMoreHasCome) {
  append(1, 3);
  const std::optional<WebhookBatch> before = spool->next(false, now);
  append(3, 9);
  cut_power();
  const std::optional<WebhookBatch> after = spool->next(false, now + 1h);
  ASSERT_TRUE(before && after);
  EXPECT_EQ(after->id, before->id);
  EXPECT_EQ(after->body, before->body);
  const std::optional<WebhookBatch> rest = spool->next(true, now);
  ASSERT_TRUE(rest);
  EXPECT_THAT(messages_in(rest->body),
              ElementsAre("m000003", "m000004", "m000005", "m000006", "m000007", "m000008"));
}

TEST_F(WebhookSpoolTest, ALineThatWasCutShortCostsItselfAlone) {
  append(1, 3);
  {
    const auto file = disk.open("webhooks/here/0000000001.jsonl");
    file->write_at(file->size(), test::webhook_line(3, now).substr(0, 50));
    file->sync_data();
  }
  cut_power();
  append(4, 5);
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002", "m000004"));
}

TEST_F(WebhookSpoolTest, LinesThatMakeNoSenseArePassedOver) {
  append(1, 2);
  spool->append(std::string(300, '\0') + "\n{\"id\":1}\n", size);
  append(2, 3);
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSpoolTest, SpaceIsBoundedAndTheOldestGoesFirst) {
  append(0, 1000);
  EXPECT_LE(octets(), size.count);
  EXPECT_GT(octets(), size.count * 3 / 4);
  const std::vector<std::string> left = take_all();
  EXPECT_EQ(left.size() + spool->dropped(), 1000U);
  EXPECT_EQ(left.back(), "m000999");
}

TEST_F(WebhookSpoolTest, DeferredOnesGoBeforeOthers) {
  for (int i = 0; i < 300; ++i)
    append(i, i + 1, i % 2 == 0 ? WebhookEvent::delivered : WebhookEvent::deferred);
  EXPECT_GT(spool->dropped(), 0U);
  std::size_t even = 0;
  for (const std::string& each : take_all()) even += (each.back() - '0') % 2 == 0;
  EXPECT_EQ(even, 150U);
}

TEST_F(WebhookSpoolTest, WhatGoesForRoomMayBeInTheRequestUnderWay) {
  append(0, 10);
  ASSERT_TRUE(spool->next(false, now));
  append(10, 1000);
  const std::optional<WebhookBatch> batch = spool->next(true, now);
  ASSERT_TRUE(batch);
  EXPECT_EQ(messages_in(batch->body).front(), fmt::format("m{:06}", spool->dropped()));
}

TEST_F(WebhookSpoolTest, WhatIsOlderThanADayGoesUntold) {
  append(1, 3);
  now += 20h;
  append(3, 4);
  now += 4h + 1s;
  EXPECT_THAT(take_all(), ElementsAre("m000003"));
  EXPECT_EQ(spool->dropped(), 2U);
}

TEST_F(WebhookSpoolTest, ARequestThatGrewOldIsNotMadeAgain) {
  append(1, 3);
  ASSERT_TRUE(spool->next(false, now));
  now += 25h;
  append(3, 4);
  const std::optional<WebhookBatch> batch = spool->next(false, now);
  ASSERT_TRUE(batch);
  EXPECT_THAT(messages_in(batch->body), ElementsAre("m000003"));
}

TEST_F(WebhookSpoolTest, WhatTheDiskRefusedCanBeAppendedAgain) {
  append(1, 2);
  for (std::size_t call = 1; call <= 2; ++call) {
    disk.arm(call, ForgettingDisk::Fault::fails_once);
    EXPECT_THROW(append(2, 3), disk::DiskError);
  }
  append(2, 3);
  cut_power();
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSpoolTest, ACursorThatCannotBeWrittenCostsNoEvent) {
  append(0, 1);
  ASSERT_TRUE(spool->next(false, now));
  for (std::size_t call = 1; call < 8; ++call) {
    append(2 * static_cast<int>(call), 2 * static_cast<int>(call) + 1);
    disk.arm(call, ForgettingDisk::Fault::fails_once);
    std::optional<WebhookBatch> batch;
    for (bool failed = true; failed;) try {
        batch = spool->next(true, now);
        failed = false;
      } catch (const disk::DiskError&) {
      }
    disk.heal();
    ASSERT_TRUE(batch) << call;
    EXPECT_THAT(messages_in(batch->body), ElementsAre(fmt::format("m{:06}", 2 * call))) << call;
  }
}

TEST_F(WebhookSpoolTest, ADamagedCursorCostsNoEvent) {
  int number = 0;
  for (const char* const cursor :
       {R"({"file":1,"offset":99999999,"batch":0)", R"({"file":1,"offset":10,"batch":5)",
        R"({"file":1,"offset":-1,"batch":-1)", R"({"file":18446744073709551615,"offset":0,"batch":0)",
        R"({"file":-1,"offset":0,"batch":0)", R"({"file":1,"offset":0,"batch":7)"}) {
    disk.restart(0);
    const std::string folder = fmt::format("webhooks/{}", number++);
    spool = std::make_unique<WebhookSpool>(disk, folder);
    append(1, 4);
    disk::write_whole(disk, folder + "/cursor",
                      std::string(cursor) + R"(,"tries":0,"since":0,"next":0,"failure":""})");
    spool = std::make_unique<WebhookSpool>(disk, folder);
    append(4, 5);
    EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002", "m000003", "m000004")) << cursor;
  }
}

TEST_F(WebhookSpoolTest, MuchThatHasNoLinesCostsItselfAlone) {
  append(1, 2);
  spool->append(std::string(100'000, 'x') + "\n" + test::webhook_line(2, now), 1_MiB);
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSpoolTest, WhatIsToStayFreeIsNotWrittenTo) {
  spool = std::make_unique<WebhookSpool>(disk, "webhooks/here", 8_MiB);
  append(1, 2);
  disk.set_free_space(8_MiB);
  EXPECT_THROW(append(2, 3), disk::DiskError);
  EXPECT_THAT(take_all(), ElementsAre("m000001"));
  disk.set_free_space(9_MiB);
  append(2, 3);
  EXPECT_THAT(take_all(), ElementsAre("m000002"));
}

TEST_F(WebhookSpoolTest, AFullDiskGetsNoFileForEachTry) {
  append(0, 200);
  disk.set_capacity(disk.allocated());
  for (int i = 0; i < 50; ++i) EXPECT_THROW(append(1000, 1200), disk::DiskError);
  const auto sizes = disk.sizes();
  const auto files = std::ranges::count_if(sizes, [](const auto& e) { return e.first.ends_with(".jsonl"); });
  EXPECT_LE(files, 18);
}

TEST_F(WebhookSpoolTest, OnAFullDiskTheOldestMakesRoomStill) {
  append(0, 150);
  disk.set_capacity(disk.allocated());
  size = 16_KiB;
  append(150, 151);
  EXPECT_LE(octets(), size.count);
  disk.set_capacity(1_GiB);
  EXPECT_EQ(take_all().back(), "m000150");
}

TEST_F(WebhookSpoolTest, NothingIsToldBeforeTheDiskKnowsOfIt) {
  append(1, 3);
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  EXPECT_THROW(spool->next(false, now), disk::DiskError);
  EXPECT_THROW(spool->next(false, now), disk::DiskError);
  disk.heal();
  EXPECT_TRUE(spool->next(false, now));
}

TEST_F(WebhookSpoolTest, OfOtherReceiversWhatIsADayOldIsRemoved) {
  append(1, 3);
  WebhookSpool other(disk, "webhooks/other");
  other.append(test::webhook_line(3, now, WebhookEvent::delivered), size);
  tidy_spools(disk, {"here"}, now + 1h);
  EXPECT_EQ(messages_in(WebhookSpool(disk, "webhooks/other").next(false, now)->body).size(), 1U);
  const std::uint64_t before = octets();
  tidy_spools(disk, {"here"}, now + 25h);
  EXPECT_LT(octets(), before);
  for (const auto& [path, count] : disk.sizes()) EXPECT_FALSE(path.starts_with("webhooks/other/")) << path;
  EXPECT_THAT(take_all(), ElementsAre("m000001", "m000002"));
}

TEST_F(WebhookSpoolTest, TheReceiversTroubleIsRemembered) {
  const WebhookSpool::Trouble trouble{3, now, now + 5min, "503"};
  spool->note(trouble);
  cut_power();
  EXPECT_EQ(spool->trouble(), trouble);
}

// Wherever the power goes, what append() returned from is told, in its order; what was taken before, once
// more at most.
TEST_F(WebhookSpoolTest, NoPowerCutLosesAnything) {
  for (std::size_t call = 1; call < 120; ++call) {
    disk.restart(0);
    const std::string folder = fmt::format("webhooks/{}", call);
    const auto begin = [&] { spool = std::make_unique<WebhookSpool>(disk, folder); };
    begin();
    std::vector<std::string> appended, told;
    const auto hear = [&](bool taken) {
      const std::optional<WebhookBatch> batch = spool->next(taken, now);
      if (batch)
        for (const std::string& each : messages_in(batch->body))
          if (std::ranges::find(told, each) == told.end()) told.push_back(each);
      return batch.has_value();
    };
    disk.arm(call, ForgettingDisk::Fault::power_fails);
    try {
      for (int i = 0; i < 40; ++i) {
        const std::string line = test::webhook_line(i, now, WebhookEvent::delivered, std::string(800, 'x'));
        spool->append(line, size);
        appended.push_back(fmt::format("m{:06}", i));
        if (i % 3 == 2) hear(i % 2 == 0);
      }
    } catch (const disk::DiskError&) {
    }
    disk.restart(static_cast<unsigned>(call));
    begin();
    for (bool taken = false; hear(taken);) taken = true;
    std::vector<std::string> missing;
    for (const std::string& each : appended)
      if (std::ranges::find(told, each) == told.end()) missing.push_back(each);
    EXPECT_THAT(missing, IsEmpty()) << call;
    EXPECT_TRUE(std::ranges::is_sorted(told)) << call;
  }
}

}  // namespace
}  // namespace relayd
