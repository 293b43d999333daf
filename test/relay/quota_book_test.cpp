// QuotaBook: what is used of the quotas, over restarts, on a disk that may fail.
#include "relay/quota_book.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using config::Quota;
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
  send::Allowance& allowance(const std::string& account, Period period = Period::day) {
    send::Allowance& allowance = *book->of_account("office", account);
    allowance.use({{100, period, period == Period::sliding ? 24h : 0h}}, loop.wall_now());
    return allowance;
  }
  std::uint64_t left(const std::string& account, Period period = Period::day) {
    return allowance(account, period).left(loop.wall_now());
  }
  void take(const std::string& account, std::uint64_t recipients, Period period = Period::day) {
    allowance(account, period).take(recipients);
    allowance(account, period).settle(recipients, recipients, loop.wall_now());
    book->touch();
  }
  // So much time, and what begins in it comes to its end.
  void pass(Duration time) {
    loop.advance(time);
    run_task(workers.run([] {}), &loop);
  }
  std::string written() {
    const std::unique_ptr<disk::File> file = disk.open("quotas.json");
    std::string text(file->size(), '\0');
    text.resize(file->read_at(0, text.data(), text.size()));
    return text;
  }
  long lines() {
    const std::string text = written();
    return std::count(text.begin(), text.end(), '\n');
  }
  void put(const std::string& text) {
    const std::unique_ptr<disk::File> file = disk.create("quotas.json");
    file->write_at(0, text);
  }
  void put_over(const std::string& text) {
    disk.remove("quotas.json");
    put(text);
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
  for (const char* text :
       {"", "not json", "{\"format\":3}\n", "[{\"upstream\":\"office\"}]", "[1]", "{\"a\":{\"used\":-1}}",
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

TEST_F(QuotaBookTest, ASpansCountSurvives) {
  take("ann", 30, Period::sliding);
  pass(1s);
  loop.advance(6h);
  take("ann", 20, Period::sliding);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann", Period::sliding), 50U);
  loop.advance(19h);
  EXPECT_EQ(left("ann", Period::sliding), 80U);
}

TEST_F(QuotaBookTest, WhatAllAccountsUsedSurvives) {
  const Quota quota{100, Period::sliding, 24h, config::Counted::messages};
  const auto total = book->of_upstream("office");
  total->use({quota}, loop.wall_now());
  allowance("ann").share(total);
  take("ann", 30);
  EXPECT_EQ(book->of_upstream("office"), total);
  pass(1s);
  crash();
  book->of_upstream("office")->use({quota}, loop.wall_now());
  EXPECT_EQ(book->of_upstream("office")->standings(loop.wall_now()).at(0).left, 99U);
  EXPECT_EQ(left("ann"), 70U);
}

TEST_F(QuotaBookTest, WhatIsUnderWayInACrashCountsAsSent) {
  allowance("ann").take(7);
  take("ann", 30);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 63U);
}

TEST_F(QuotaBookTest, AFileOfDaysAndMonthsIsRead) {
  put(R"([{"upstream": "office", "username": "ann", "used": 30, "since": 1795132800000000},
          {"upstream": "office", "username": "bob", "used": 40, "since": 1793491200000000},
          {"upstream": "office", "username": "eve", "used": 50, "since": 1795132800000000}])");
  restart();
  EXPECT_EQ(left("ann"), 70U);
  EXPECT_EQ(left("bob", Period::month), 60U);
  EXPECT_EQ(left("eve", Period::sliding), 50U);
  take("ann", 1);
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 69U);
  EXPECT_EQ(left("bob", Period::month), 60U);
  EXPECT_EQ(left("eve", Period::sliding), 50U);
  EXPECT_EQ(logged(), "");
}

TEST_F(QuotaBookTest, OnlyWhatHasChangedIsWritten) {
  for (const char* account : {"ann", "bob", "eve"}) take(account, 10);
  pass(1s);
  EXPECT_EQ(lines(), 4);
  const std::string before = written();
  take("bob", 5);
  pass(1s);
  EXPECT_EQ(lines(), 5);
  EXPECT_TRUE(written().starts_with(before));
  EXPECT_NE(written().substr(before.size()).find("bob"), std::string::npos);
  crash();
  EXPECT_EQ(left("ann"), 90U);
  EXPECT_EQ(left("bob"), 85U);
}

TEST_F(QuotaBookTest, TheFileIsWrittenAnewBeforeItGrowsLarge) {
  for (int i = 0; i < 90; ++i) {
    take("ann", 1);
    pass(1s);
  }
  EXPECT_EQ(lines(), 1 + 90);
  long most = 0;
  for (int i = 0; i < 300; ++i) {
    take("bob", 0);
    pass(1s);
    most = std::max(most, lines());
  }
  EXPECT_LT(most, 1 + 2 + 2 + 101);
  crash();
  EXPECT_EQ(left("ann"), 10U);
}

TEST_F(QuotaBookTest, WhatWasNotSentAfterAllIsTakenBack) {
  send::Allowance& ann = allowance("ann");
  ann.take(30);
  book->touch();
  pass(1s);
  ann.settle(30, 0, loop.wall_now());
  book->touch();
  pass(1s);
  crash();
  EXPECT_EQ(left("ann"), 100U);
}

TEST_F(QuotaBookTest, ALineThatMakesNoSenseCostsWhatItHeld) {
  take("ann", 30);
  pass(1s);
  const std::string good = written();
  put_over(good + "rubbish\n" +
           R"({"upstream":"office","username":"bob","quotas":[{"quota":"5/day","used":[[1,2,3]]}]})" + "\n");
  restart();
  EXPECT_EQ(left("ann"), 70U);
  EXPECT_NE(logged().find("quotas_lost"), std::string::npos);
}

// A crash cut it short: it was never promised.
TEST_F(QuotaBookTest, AnEndThatMakesNoSenseIsNotWorthAWord) {
  take("ann", 30);
  pass(1s);
  const std::string good = written();
  take("ann", 5);
  pass(1s);
  const std::string longer = written();
  for (std::size_t size = good.size(); size < longer.size() - 1; ++size) {
    put_over(longer.substr(0, size));
    restart();
    EXPECT_EQ(left("ann"), 70U) << size;
    take("ann", 1);
    run_task(book->flush(), &loop);
    restart();
    EXPECT_EQ(left("ann"), 69U) << size;
  }
  EXPECT_EQ(logged(), "");
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
