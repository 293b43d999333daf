// SiteBook: what was learnt of upstreams, over restarts, on a disk that may fail.
#include "relay/site_book.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "shared/disk/whole_file.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using send::Ahead;
using State = Ahead::State;
using test::ForgettingDisk;

class SiteBookTest : public testing::Test {
 protected:
  void SetUp() override {
    office.name = "office";
    office.host = "smtp.example.net";
    office.endpoints = {{587, smtp::TlsMode::starttls}, {465, smtp::TlsMode::implicit}};
    start();
  }
  void TearDown() override {
    run_task(book->flush(), &loop);
    std::fclose(log_file_);
  }

  // Another process on the same disk.
  void restart() {
    run_task(book->flush(), &loop);
    start();
  }
  void start() {
    book.reset();
    book = std::make_unique<SiteBook>(loop, workers, disk, log);
    book->open();
    site = std::make_unique<SiteEntry>(loop);
    site->use(office);
    book->recall(*site);
  }
  // The machine loses its power and comes up again.
  void crash(unsigned seed = 0) {
    run_task(book->flush(), &loop);
    disk.restart(seed);
    start();
  }
  // So much time, and what begins in it comes to its end.
  void pass(Duration time) {
    loop.advance(time);
    run_task(book->flush(), &loop);
  }
  void lose() {
    site->ahead.lost(loop.now());
    book->note(*site);
    pass(1s);
  }
  void earn() {
    site->ahead.may(this, loop.now());
    site->ahead.rides(this, loop.now());
    site->ahead.worked(this, loop.now());
    book->note(*site);
    pass(1s);
  }
  State ahead() const { return site->ahead.state(loop.now()); }
  void start_with(const std::string& text) {
    run_task(book->flush(), &loop);
    disk::write_whole(disk, "sites.json", text);
    start();
  }
  std::string logged() {
    log.flush();
    std::string text(4096, '\0');
    std::rewind(log_file_);
    text.resize(std::fread(text.data(), 1, text.size(), log_file_));
    return text;
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};
  ForgettingDisk disk;
  std::FILE* log_file_ = std::tmpfile();
  telemetry::Log log{::fileno(log_file_), telemetry::Log::Format::json, telemetry::Level::debug,
                     telemetry::Log::Addresses::full};
  route::Upstream office;
  std::unique_ptr<SiteBook> book;
  std::unique_ptr<SiteEntry> site;
};

TEST_F(SiteBookTest, WithoutAFileNothingIsKnownAndNothingIsTold) {
  EXPECT_EQ(ahead(), State::untried);
  EXPECT_FALSE(site->offer(loop.now()));
  EXPECT_EQ(logged(), "");
}

TEST_F(SiteBookTest, ALossHoldsOverRestartsUntilItsHourIsOver) {
  lose();
  for (int i = 0; i < 5; ++i) {
    loop.advance(10min);
    crash();
    EXPECT_EQ(ahead(), State::lost);
  }
  loop.advance(10min);
  EXPECT_EQ(ahead(), State::untried);
  crash();
  EXPECT_EQ(ahead(), State::untried);
  lose();  // the second in a row
  crash();
  loop.advance(2h);
  EXPECT_EQ(ahead(), State::lost);
}

TEST_F(SiteBookTest, LossesAreKeptWhileNobodyTries) {
  for (const Duration holds : {1h, 24h, 168h}) {
    lose();
    loop.advance(holds);
    EXPECT_EQ(ahead(), State::untried);
  }
  site->ahead.may(this, loop.now());
  site->ahead.not_tried(this);
  site->changed = true;
  book->note(*site);
  pass(1s);
  crash();
  EXPECT_EQ(ahead(), State::untried);
  lose();
  loop.advance(48h);
  EXPECT_EQ(ahead(), State::lost);
}

TEST_F(SiteBookTest, ACapThatWasMetHoldsOverRestartsUntilItsTimeIsOver) {
  const auto most = [this] {
    return site->learnt.at_most(smtp::Cap::messages_per_connection, 100, loop.now());
  };
  site->learn({smtp::Cap::messages_per_connection, 25, true}, loop.now());
  book->note(*site);
  pass(1s);
  loop.advance(23h);
  crash();
  EXPECT_EQ(most(), 25U);
  loop.advance(59min);
  EXPECT_EQ(most(), 25U);
  loop.advance(1min);
  EXPECT_EQ(most(), 100U);
  crash();
  EXPECT_EQ(most(), 100U);
}

TEST_F(SiteBookTest, ACapThatMakesNoSenseIsNone) {
  for (const char* const cap : {R"({"cap":"horses","most":5,"seconds":100,"at":0})",
                                R"({"cap":"connections","most":0,"seconds":100,"at":0})",
                                R"({"cap":"connections","most":-5,"seconds":100,"at":0})"}) {
    SCOPED_TRACE(cap);
    start_with("{\"format\":1}\n" +
               fmt::format(R"({{"upstream":"office","where":"{}","caps":[{}]}})", site->where, cap) + "\n");
    EXPECT_TRUE(site->learnt.entries().empty());
  }
}

TEST_F(SiteBookTest, WhatWasEarnedIsNotTriedAgainAtEachStart) {
  earn();
  crash();
  EXPECT_EQ(ahead(), State::earned);
  loop.advance(1h);
  EXPECT_EQ(ahead(), State::untried);
}

// It may be what the upstream does not stand.
TEST_F(SiteBookTest, ATryThatACrashCutShortIsALoss) {
  site->ahead.may(this, loop.now());
  site->ahead.rides(this, loop.now());
  run_task(book->keep(*site), &loop);
  crash();
  EXPECT_EQ(ahead(), State::lost);
}

TEST_F(SiteBookTest, ALossCanBeWrittenAtOnce) {
  site->ahead.lost(loop.now());
  book->note_at_once(*site);
  run_task(book->flush(), &loop);
  crash();
  EXPECT_EQ(ahead(), State::lost);
}

// A write that has begun may lack what was asked for since.
TEST_F(SiteBookTest, AllThatIsKeptDuringAWriteIsOneMoreWrite) {
  site->ahead.lost(loop.now());
  site->changed = true;
  const std::size_t before = disk.calls();
  run_task(book->keep(*site), &loop);
  const std::size_t write = disk.calls() - before;
  std::vector<async::Task<void>> waiting;
  for (int i = 0; i < 5; ++i) {
    site->ahead.lost(loop.now());
    site->changed = true;
    waiting.push_back(book->keep(*site));
    waiting.back().start();
  }
  loop.run_until([&] { return std::ranges::all_of(waiting, [](const auto& task) { return task.done(); }); });
  EXPECT_EQ(disk.calls() - before, 3 * write);
  crash();
  loop.advance(100h);
  EXPECT_EQ(ahead(), State::lost) << "the sixth loss holds for a week";
}

TEST_F(SiteBookTest, ThePortThatWorksIsKept) {
  EXPECT_TRUE(site->leave_endpoint(loop.now()));
  book->note(*site);
  pass(1s);
  crash();
  EXPECT_EQ(site->take_endpoint(loop.now()), 1U);
  loop.advance(1h);
  EXPECT_EQ(site->take_endpoint(loop.now()), 0U);  // one tries
  EXPECT_EQ(site->take_endpoint(loop.now()), 1U);  // and no other
  site->greeted(0, {}, loop.now());
  EXPECT_EQ(site->take_endpoint(loop.now()), 0U);
}

TEST_F(SiteBookTest, WhatItsServersOfferIsKeptForAnHour) {
  smtp::Capabilities offer;
  offer.size = offer.eight_bit_mime = true;
  offer.size_limit = 1000;
  offer.auth = {"PLAIN", "LOGIN"};
  site->greeted(0, offer, loop.now());
  book->note(*site);
  pass(1s);
  loop.advance(30min);
  crash();
  ASSERT_TRUE(site->offer(loop.now()));
  EXPECT_EQ(*site->offer(loop.now()), offer);
  loop.advance(30min);
  EXPECT_FALSE(site->offer(loop.now()));
}

TEST_F(SiteBookTest, HowManyConnectionsItStandsIsKeptAndRisesMeanwhile) {
  site->used = 6;
  ASSERT_TRUE(site->use_fewer_connections());
  book->note(*site);
  pass(1s);
  loop.advance(3min);
  crash();
  EXPECT_EQ(site->ceiling(), 8U);
  loop.advance(2h);
  crash();
  EXPECT_GE(site->ceiling(), site->limit);
}

TEST_F(SiteBookTest, WhatWasLearntOfAnotherHostOrPortIsNotBelieved) {
  smtp::Capabilities offer;
  offer.pipelining = true;
  site->greeted(0, offer, loop.now());
  site->leave_endpoint(loop.now());
  site->used = 6;
  site->use_fewer_connections();
  site->learn({smtp::Cap::recipients_per_message, 10, true}, loop.now());
  lose();
  site->use(office);  // a reload that changed nothing
  EXPECT_EQ(ahead(), State::lost);
  EXPECT_EQ(site->endpoint, 1U);
  EXPECT_EQ(site->ceiling(), 5U);
  EXPECT_EQ(site->learnt.at_most(smtp::Cap::recipients_per_message, 100, loop.now()), 10U);
  office.host = "mail.example.net";
  site->use(office);
  EXPECT_EQ(ahead(), State::untried);
  EXPECT_FALSE(site->offer(loop.now()));
  EXPECT_EQ(site->endpoint, 0U);
  EXPECT_GE(site->ceiling(), site->limit);
  EXPECT_EQ(site->learnt.at_most(smtp::Cap::recipients_per_message, 100, loop.now()), 100U);
  crash();
  EXPECT_EQ(ahead(), State::untried);
  office.host = "smtp.example.net";
  office.endpoints.pop_back();
  crash();
  EXPECT_EQ(ahead(), State::untried);
}

// --- clocks that were wrong ---

TEST_F(SiteBookTest, ATimeThatLiesAheadCountsAsNow) {
  const WallTime right = loop.wall_now();
  loop.set_wall(right + std::chrono::years(10));
  lose();
  loop.set_wall(right);
  crash();
  EXPECT_EQ(ahead(), State::lost);
  pass(1s);  // it is on disk as it is read
  loop.advance(1h);
  crash();
  EXPECT_EQ(ahead(), State::untried);
}

TEST_F(SiteBookTest, AClockThatIsNotSetYetForgetsNothing) {
  lose();
  const WallTime right = loop.wall_now();
  for (const WallTime wrong : {WallTime{}, WallTime{} - 24h}) {
    loop.set_wall(wrong);
    crash();
    EXPECT_EQ(ahead(), State::lost);
    loop.set_wall(right);
    EXPECT_EQ(ahead(), State::lost);
  }
}

// --- damage ---

TEST_F(SiteBookTest, AFileThatMakesNoSenseCostsOnlyTheLearning) {
  for (const char* text :
       {"", "{\"format\":9}\n", "\xff\xfe", "[]", "{\"format\":1}\nnonsense\n{}\n[]\n{\"upstream\":5}\n",
        "{\"format\":1}\n{\"upstream\":\"office\",\"ahead\":1}\n"}) {
    start_with(text);
    EXPECT_EQ(ahead(), State::untried) << text;
    lose();
    restart();
    EXPECT_EQ(ahead(), State::lost) << text;
  }
  EXPECT_NE(logged().find("sites_lost"), std::string::npos);
}

TEST_F(SiteBookTest, NumbersThatNobodyWroteHarmNothing) {
  for (const char* number : {"-1", "1e300", "18446744073709551615", "null", "\"x\"", "0"})
    for (const char* fact :
         {R"("ahead":{{"state":"lost","losses":1,"at":{}}})", R"("port":{{"port":{0},"at":{0}}})",
          R"("ahead":{{"state":"lost","losses":{0},"at":{0}}})",
          R"("offer":{{"lines":["SIZE {0}"],"at":{0}}})", R"("connections":{{"most":{0},"at":{0}}})",
          R"("caps":[{{"cap":"recipients_per_message","most":{0},"seconds":{0},"at":{0}}}])"}) {
      start_with("{\"format\":1}\n{\"upstream\":\"office\",\"where\":\"" + site->where + "\"," +
                 fmt::format(fmt::runtime(fact), number) + "}\n");
      EXPECT_LT(site->endpoint, 2U);
      EXPECT_GE(site->ceiling(), 1U);
      EXPECT_EQ(site->ahead.state(loop.now() + 168h), State::untried) << fact;
      EXPECT_EQ(site->learnt.at_most(smtp::Cap::recipients_per_message, 7, loop.now() + 24h), 7U);
    }
}

TEST_F(SiteBookTest, ADiskThatFailsIsToldAndTriedAgain) {
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  lose();
  EXPECT_NE(logged().find("sites_not_written"), std::string::npos);
  disk.heal();
  run_task(book->flush(), &loop);
  crash();
  EXPECT_EQ(ahead(), State::lost);
}

// The old file or the new one, at whichever call the power fails.
TEST_F(SiteBookTest, APowerCutWhileItIsWrittenLeavesAWholeFile) {
  earn();
  for (std::size_t call = 1; call <= 5; ++call)
    for (const unsigned seed : {0U, 1U, 7U}) {
      disk.arm(call, ForgettingDisk::Fault::power_fails);
      lose();
      crash(seed);
      EXPECT_NE(ahead(), State::untried) << "call " << call;
    }
  EXPECT_EQ(logged().find("sites_lost"), std::string::npos);
}

}  // namespace
}  // namespace relayd
