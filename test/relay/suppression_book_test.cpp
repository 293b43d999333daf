// SuppressionBook: who is suppressed, over restarts, on a disk that may fail.
#include "relay/suppression_book.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <random>
#include <string>

#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using tell::Suppression;
using test::ForgettingDisk;
using testing::HasSubstr;
using Model = std::map<std::pair<std::string, std::string>, Suppression>;  // by sender and recipient

constexpr const char* file_name = "suppressed.csv";
constexpr WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;

class SuppressionBookTest : public testing::Test {
 protected:
  void SetUp() override {
    loop.set_wall(noon);
    restart();
  }
  void TearDown() override {
    run_task(book->flush(), &loop);
    std::fclose(log_file_);
  }

  // Another process on the same disk.
  void restart(std::size_t limit = 1000) {
    book.reset();
    book = std::make_unique<SuppressionBook>(loop, workers, disk, log, publisher, limit);
    book->use(config::Suppress{.keep = 24h});
    book->load();
    book->open();
  }
  void crash(unsigned seed = 0) {
    disk.restart(seed);
    restart();
  }
  void pass(Duration time) {
    loop.advance(time);
    run_task(workers.run([] {}), &loop);
  }
  std::string flush() { return run_task(book->flush(), &loop); }

  Suppression entry(const std::string& recipient, std::chrono::seconds keep = 24h) {
    const tell::Second now = std::chrono::floor<std::chrono::seconds>(loop.wall_now());
    return {recipient, "sender.example", now, now + keep, "550 5.1.1 No such user"};
  }
  void add(const Suppression& one) {
    const std::vector<Suppression> entries = {one};
    run_task(book->add(entries), &loop);
  }
  // A final reply at RCPT.
  void hear(const std::string& recipient, const std::string& sender = "app@sender.example") {
    const smtp::Event event(smtp::Stage::rcpt, smtp::Reply{550, {5, 1, 1}, "No such user"});
    book->subscriber().attempted({.fate = tell::Fate::failed,
                                  .id = "1j0m0u4e32g",
                                  .from = sender,
                                  .to = recipient,
                                  .sent_from = sender,
                                  .sent_to = recipient,
                                  .upstream = "office",
                                  .event = event,
                                  .reply_class = "rcpt"});
  }
  bool refuses(const std::string& recipient, const std::string& sender = "b@sender.example") {
    return book->refusal(sender, recipient).has_value();
  }
  std::size_t remove(const std::string& recipient, const std::optional<std::string>& sender = {}) {
    return run_task(book->remove(recipient, sender), &loop);
  }
  std::string written(const std::string& name = file_name) {
    const std::unique_ptr<disk::File> file = disk.open(name);
    std::string text(file->size(), '\0');
    text.resize(file->read_at(0, text.data(), text.size()));
    return text;
  }
  void put(const std::string& text) { disk.create(file_name)->write_at(0, text); }
  std::string logged() {
    log.flush();
    std::string text(1 << 16, '\0');
    std::rewind(log_file_);
    text.resize(std::fread(text.data(), 1, text.size(), log_file_));
    return text;
  }
  Model everything() {
    Model all;
    for (std::size_t slice = 0; slice < tell::SuppressionList::slices; ++slice)
      for (const Suppression& one : book->list().slice(slice))
        if (one.until > loop.wall_now()) all[{one.sender, one.recipient}] = one;
    return all;
  }

  test::ManualLoop loop;
  async::Workers workers{loop, 1};
  ForgettingDisk disk;
  std::FILE* log_file_ = std::tmpfile();
  telemetry::Log log{::fileno(log_file_), telemetry::Log::Format::json, telemetry::Level::debug,
                     telemetry::Log::Addresses::full};
  tell::Publisher publisher{log};
  std::unique_ptr<SuppressionBook> book;
};

TEST_F(SuppressionBookTest, WithoutAFileNobodyIsRefusedAndNothingIsToldOrWritten) {
  EXPECT_FALSE(refuses("ann@x.example"));
  EXPECT_EQ(flush(), "");
  EXPECT_EQ(logged(), "");
  EXPECT_THROW(written(), disk::DiskError);
}

TEST_F(SuppressionBookTest, ASecondLaterACrashForgetsNothing) {
  hear("Ann@x.example");
  EXPECT_TRUE(refuses("ann@X.example"));
  pass(1s);
  hear("ben@x.example");
  pass(999ms);
  crash();
  EXPECT_TRUE(refuses("ann@x.example"));
  EXPECT_FALSE(refuses("ben@x.example"));
  EXPECT_FALSE(refuses("ann@x.example", "a@other.example"));
}

TEST_F(SuppressionBookTest, WhoIsRememberedAndWhoIsRefusedIsTold) {
  hear("ann@x.example");
  EXPECT_THAT(logged(), HasSubstr(R"("event":"suppressed","id":"1j0m0u4e32g","from":"app@sender.example",)"
                                  R"("to":"ann@x.example","action":"remembered","upstream":"office",)"
                                  R"("reason":"550 5.1.1 No such user","until":"2026-11-21T12:00:00Z")"));
  EXPECT_TRUE(refuses("ann@x.example"));
  EXPECT_THAT(logged(), HasSubstr(R"("to":"ann@x.example","action":"refused","reason":"550 5.1.1)"));
}

TEST_F(SuppressionBookTest, WhatIsRemovedDoesNotComeBack) {
  add(entry("ann@x.example"));
  Suppression of_all = entry("ann@x.example");
  of_all.sender = "";
  add(of_all);
  add(entry("ben@x.example"));
  EXPECT_EQ(flush(), "");
  EXPECT_EQ(remove("Ann@x.example"), 2U);
  EXPECT_EQ(remove("ann@x.example"), 0U);
  EXPECT_EQ(flush(), "");
  loop.set_wall(noon - 48h);  // also by a clock that was put back
  crash();
  EXPECT_FALSE(refuses("ann@x.example"));
  EXPECT_TRUE(refuses("ben@x.example"));
}

TEST_F(SuppressionBookTest, ADomainInUnicodeIsThatOfItsALabels) {
  hear("ann@\u00e4.example", "app@\u00f6.example");
  for (const char* const recipient : {"Ann@\u00e4.example", "ann@XN--4ca.example"})
    for (const char* const sender : {"b@\u00f6.Example", "b@xn--nda.example"})
      EXPECT_TRUE(refuses(recipient, sender)) << recipient << " from " << sender;
  EXPECT_EQ(remove("ann@\u00e4.example", "\u00f6.example"), 1U);
  EXPECT_FALSE(refuses("ann@\u00e4.example", "b@\u00f6.example"));
}

TEST_F(SuppressionBookTest, WhatCouldNotBeReadAgainIsNotWritten) {
  std::string domain = "example";
  for (int i = 0; i < 80; ++i) domain = "\u00e4." + domain;
  hear("ann@" + domain);
  hear("ben@x.example");
  EXPECT_EQ(flush(), "");
  restart();
  EXPECT_TRUE(refuses("ben@x.example"));
  EXPECT_EQ(logged().find("suppressions_damaged"), std::string::npos);
}

TEST_F(SuppressionBookTest, WhileItIsOffNobodyIsRememberedOrRefused) {
  hear("ann@x.example");
  book->use(std::nullopt);
  EXPECT_FALSE(refuses("ann@x.example"));
  hear("ben@x.example");
  book->use(config::Suppress{.keep = 24h});
  EXPECT_TRUE(refuses("ann@x.example"));
  EXPECT_FALSE(refuses("ben@x.example"));
}

TEST_F(SuppressionBookTest, WhatIsOverIsGoneWithinTheHour) {
  add(entry("ann@x.example", 60s));
  pass(61s);
  EXPECT_FALSE(refuses("ann@x.example"));
  loop.advance(1h);
  loop.run_until([this] { return book->size() == 0; });
}

TEST_F(SuppressionBookTest, NowAndThenAllOfItIsWrittenAnew) {
  add(entry("ann@x.example"));
  EXPECT_EQ(flush(), "");
  for (int i = 0; i < 1100; ++i) add(entry("ben@x.example", std::chrono::seconds(1000 + i)));
  EXPECT_EQ(flush(), "");
  const std::string text = written();
  EXPECT_EQ(std::ranges::count(text, '\n'), 3) << text;
  crash();
  EXPECT_EQ(book->size(), 2U);
}

TEST_F(SuppressionBookTest, ARowThatACrashCutIsLeftOutAndNothingIsTold) {
  put("address,sender,since,until,reason\n"
      "ann@x.example,sender.example,2026-11-20T12:00:00Z,2026-12-20T12:00:00Z,550\n"
      "ben@x.example,,2026-11-20T12:0");
  restart();
  EXPECT_EQ(book->size(), 1U);
  EXPECT_EQ(logged(), "");
  add(entry("carl@x.example"));
  EXPECT_EQ(flush(), "");
  crash();
  EXPECT_EQ(book->size(), 2U);
  EXPECT_EQ(logged(), "");
}

TEST_F(SuppressionBookTest, ADamagedFileIsKeptAsideAndWhatIsSoundCounts) {
  const std::string damaged =
      "address,sender,since,until,reason\n"
      "nonsense\n"
      "ann@x.example,sender.example,2026-11-20T12:00:00Z,2026-12-20T12:00:00Z,550\n";
  put(damaged);
  restart();
  EXPECT_TRUE(refuses("ann@x.example"));
  EXPECT_THAT(logged(),
              HasSubstr("1 of 3 lines cannot be read, line 2: a row has 5 fields, not 1; the file is "
                        "kept as suppressed.csv.damaged-1795176000, with 1 recipient that could be read"));
  EXPECT_EQ(written("suppressed.csv.damaged-1795176000"), damaged);
  EXPECT_EQ(flush(), "");
  crash();
  EXPECT_TRUE(refuses("ann@x.example"));
}

TEST_F(SuppressionBookTest, AFileThatCannotBeReadIsNotOverwritten) {
  add(entry("ann@x.example"));
  EXPECT_EQ(flush(), "");
  disk.fail_reads(EIO);
  restart();
  disk.fail_reads(0);
  EXPECT_THAT(logged(), HasSubstr("suppressions_damaged"));
  add(entry("ben@x.example"));
  EXPECT_EQ(flush(), "");
  EXPECT_THAT(written("suppressed.csv.damaged-1795176000"), HasSubstr("ann@x.example"));
}

TEST_F(SuppressionBookTest, WhatTheDiskRefusesIsWrittenOnceItDoesNot) {
  add(entry("ann@x.example"));
  EXPECT_EQ(flush(), "");
  disk.arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  add(entry("ben@x.example"));
  EXPECT_THAT(flush(), HasSubstr("No space left"));
  EXPECT_THAT(logged(), HasSubstr("suppressions_not_written"));
  EXPECT_TRUE(refuses("ben@x.example"));
  disk.heal();
  pass(60s);
  crash();
  EXPECT_TRUE(refuses("ann@x.example"));
  EXPECT_TRUE(refuses("ben@x.example"));
}

TEST_F(SuppressionBookTest, AFullListForgetsTheOldestAndSaysSoOnce) {
  restart(10);
  for (int i = 0; i < 30; ++i) {
    add(entry(std::to_string(i) + "@x.example"));
    pass(1s);
  }
  EXPECT_LE(book->size(), 10U);
  EXPECT_TRUE(refuses("29@x.example"));
  EXPECT_FALSE(refuses("0@x.example"));
  const std::string text = logged();
  const std::size_t first = text.find("suppressions_full");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("suppressions_full", first + 1), std::string::npos);
}

// Adds, removals, times, ends in order and crashes, against a map: what was flushed is there, to the last.
TEST_F(SuppressionBookTest, IsAMapThatOutlivesItsProcess) {
  for (unsigned seed = 1; seed <= 8; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](unsigned most) { return random() % most; };
    Model now = everything();
    for (int step = 0; step < 150; ++step) {
      const std::string recipient = std::to_string(below(20)) + "@x.example";
      switch (below(10)) {
        case 0: {
          EXPECT_EQ(remove(recipient), now.erase({"sender.example", recipient}));
          break;
        }
        case 1:
          pass(std::chrono::seconds(below(3)));
          break;
        case 2:
          ASSERT_EQ(flush(), "");
          break;
        case 3:
          ASSERT_EQ(flush(), "");
          below(2) == 0 ? restart() : crash(seed);
          break;
        default: {
          const Suppression one = entry(recipient, std::chrono::seconds(1 + below(100)));
          add(one);
          now[{one.sender, one.recipient}] = one;
        }
      }
      std::erase_if(now, [this](const auto& one) { return one.second.until <= loop.wall_now(); });
      ASSERT_EQ(everything(), now) << "seed " << seed << " step " << step;
    }
  }
  EXPECT_EQ(logged().find("suppressions_"), std::string::npos);
}

}  // namespace
}  // namespace relayd
