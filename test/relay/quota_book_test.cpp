// QuotaBook: what is used of the quotas, over restarts, on a disk that may fail.
#include "relay/quota_book.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using send::Quota;
using test::ForgettingDisk;
using Period = Quota::Period;

class QuotaBookTest : public testing::Test {
 protected:
  void SetUp() override {
    loop.set_wall(std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h);
    restart();
  }
  void TearDown() override {
    run_task(book->flush(), &loop);
    std::fclose(log_file_);
  }

  // Another process on the same disk.
  void restart() {
    book.reset();
    book = std::make_unique<QuotaBook>(loop, workers, disk, log);
    book->open();
  }
  // The machine loses its power and comes up again.
  void crash(unsigned seed = 0) {
    disk.restart(seed);
    restart();
  }
  Quota& quota(const std::string& account, Period period = Period::day) {
    Quota& quota = *book->quota_of("office", account);
    quota.use(100, period);
    return quota;
  }
  std::uint64_t left(const std::string& account, Period period = Period::day) {
    return quota(account, period).left(loop.wall_now());
  }
  void take(const std::string& account, std::uint64_t recipients, Period period = Period::day) {
    quota(account, period).take(recipients, loop.wall_now());
    book->touch();
  }
  // So much time, and what begins in it comes to its end.
  void pass(Duration time) {
    loop.advance(time);
    run_task(workers.run([] {}), &loop);
  }
  void put(const std::string& text) {
    const std::unique_ptr<disk::File> file = disk.create("quotas.json");
    file->write_at(0, text);
  }
  std::string logged() {
    log.flush();
    std::string text(4096, '\0');
    std::rewind(log_file_);
    text.resize(std::fread(text.data(), 1, text.size(), log_file_));
    return text;
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};  // one: what is handed to it later ends later
  ForgettingDisk disk;
  std::FILE* log_file_ = std::tmpfile();
  telemetry::Log log{::fileno(log_file_), telemetry::Log::Format::json, telemetry::Level::debug,
                     telemetry::Log::Addresses::full};
  std::unique_ptr<QuotaBook> book;
};

TEST_F(QuotaBookTest, WithoutAFileNothingIsUsedAndNothingIsTold) {
  EXPECT_EQ(left("ann"), 100U);
  EXPECT_EQ(logged(), "");
}

TEST_F(QuotaBookTest, ASecondLaterACrashForgetsNothing) {
  take("ann", 30);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 70U);
  EXPECT_EQ(left("bob"), 100U);
}

TEST_F(QuotaBookTest, WithinTheSecondACrashForgetsOnlyThatSecond) {
  take("ann", 30);
  pass(1s);
  take("ann", 5);
  pass(999ms);
  crash();
  EXPECT_EQ(left("ann"), 70U);
}

TEST_F(QuotaBookTest, AnEndInOrderForgetsNothing) {
  take("ann", 30);
  run_task(book->flush(), &loop);
  crash();
  EXPECT_EQ(left("ann"), 70U);
}

TEST_F(QuotaBookTest, WhatIsUsedWhileItIsWrittenIsWrittenToo) {
  take("ann", 30);
  loop.advance(1s);  // the writing has begun, and has its text
  take("ann", 5);
  pass(0s);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 65U);
}

TEST_F(QuotaBookTest, AnEndInOrderWaitsForWhatIsUsedMeanwhile) {
  take("ann", 30);
  loop.advance(1s);
  take("ann", 5);
  run_task(book->flush(), &loop);
  crash();
  EXPECT_EQ(left("ann"), 65U);
}

TEST_F(QuotaBookTest, AnAccountThatHasNotSentSinceTheStartIsNotForgotten) {
  take("ann", 30);
  take("eve", 40, Period::month);
  pass(1s);
  crash();
  take("bob", 1);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 70U);
  EXPECT_EQ(left("eve", Period::month), 60U);
}

TEST_F(QuotaBookTest, AMonthsQuotaSurvives) {
  take("ann", 30, Period::month);
  pass(1s);
  loop.advance(48h);
  crash();
  EXPECT_EQ(left("ann", Period::month), 70U);
}

TEST_F(QuotaBookTest, APeriodThatIsOverIsForgotten) {
  take("ann", 30);
  take("bob", 30, Period::month);
  pass(1s);
  loop.advance(12h);
  crash();
  EXPECT_EQ(left("ann"), 100U);
  EXPECT_EQ(left("bob", Period::month), 70U);
  loop.advance(24h * 10);
  crash();
  EXPECT_EQ(left("bob", Period::month), 100U);
}

TEST_F(QuotaBookTest, AFileThatMakesNoSenseIsToldAndForgotten) {
  for (const char* text : {"", "not json", "[{\"upstream\":\"office\"}]", "[1]", "{\"a\":{\"used\":-1}}",
                           "[{\"upstream\":\"office\",\"username\":\"ann\",\"used\":\"x\",\"since\":0}]"}) {
    put(text);
    restart();
    EXPECT_EQ(left("ann"), 100U) << text;
    EXPECT_NE(logged().find("quotas_lost"), std::string::npos) << text;
    disk.remove("quotas.json");
  }
}

TEST_F(QuotaBookTest, ATimeThatNoClockHadOverflowsNothing) {
  put(R"([{"upstream": "office", "username": "ann", "used": 1, "since": 9223372036854775807}])");
  restart();
  take("eve", 1);
  run_task(book->flush(), &loop);
  EXPECT_EQ(left("eve"), 99u);
}

TEST_F(QuotaBookTest, AFileThatMadeNoSenseIsReplaced) {
  put("not json");
  restart();
  take("ann", 30);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 70U);
}

TEST_F(QuotaBookTest, AFileThatCannotBeReadIsToldAndForgotten) {
  take("ann", 30);
  pass(1s);
  disk.fail_reads(EIO);
  restart();
  EXPECT_EQ(left("ann"), 100U);
  EXPECT_NE(logged().find("quotas_lost"), std::string::npos);
}

// The old file or the new one, at whichever call the power fails.
TEST_F(QuotaBookTest, APowerCutWhileItIsWrittenLeavesAWholeFile) {
  take("ann", 30);
  pass(1s);
  for (std::size_t call = 1; call <= 5; ++call)
    for (unsigned seed : {0U, 1U, 7U}) {
      const std::uint64_t before = left("ann");
      take("ann", 1);
      disk.arm(call, ForgettingDisk::Fault::power_fails);
      pass(1s);
      crash(seed);
      EXPECT_LE(left("ann"), before) << "call " << call;
      EXPECT_GE(left("ann"), before - 1) << "call " << call;
    }
  EXPECT_EQ(logged().find("quotas_lost"), std::string::npos);
}

TEST_F(QuotaBookTest, ADiskThatFailsIsToldAndTriedAgain) {
  take("ann", 30);
  pass(1s);
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  take("ann", 5);
  pass(1s);
  EXPECT_NE(logged().find("quotas_not_written"), std::string::npos);
  disk.heal();
  take("ann", 1);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 64U);
}

TEST_F(QuotaBookTest, WhatADiskRefusedIsWrittenAtTheEnd) {
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  take("ann", 5);
  pass(1s);
  disk.heal();
  run_task(book->flush(), &loop);
  crash();
  EXPECT_EQ(left("ann"), 95U);
}

}  // namespace
}  // namespace relayd
