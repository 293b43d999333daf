// HistoryBook: what becomes of messages, in files that are bounded, on a disk that may fail.
#include "relay/history_book.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <array>
#include <future>

#include "relay/history_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using tell::Fate;
using test::ForgettingDisk;
using testing::_;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class HistoryBookTest : public test::HistoryWorld {
 protected:
  // Messages of about 700 octets of history each.
  void fill(int from, int to) {
    for (int i = from; i < to; ++i) {
      accepted(name(i), "ann@example.com", {"bob@customer.example"});
      attempted(name(i), "ann@example.com", "bob@customer.example", Fate::delivered, std::string(400, 'x'));
      if (i % 50 == 0) pass(1s);
    }
    pass(1s);
  }
  static std::string name(int number) { return fmt::format("m{:06}", number); }
};

TEST_F(HistoryBookTest, WhatHappenedIsInTheFilesASecondLater) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  EXPECT_THAT(found("m1"), IsEmpty());
  pass(1s);
  EXPECT_THAT(found("m1"), ElementsAre("m1"));
  end();
  EXPECT_THAT(found("m1"), ElementsAre("m1"));
  start();
}

TEST_F(HistoryBookTest, ManyLinesAreWrittenBeforeThat) {
  const std::size_t calls = disk.calls();
  for (int i = 0; i < 200; ++i)
    accepted(name(i), std::string(300, 'x') + "@example.com", {"bob@customer.example"});
  settle();
  EXPECT_GT(disk.calls(), calls);
}

TEST_F(HistoryBookTest, AnOrderlyEndLeavesNothingUnwritten) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  stop();
  EXPECT_THAT(found("m1"), ElementsAre("m1"));
  start();
}

TEST_F(HistoryBookTest, NothingIsSynced) {
  fill(0, 100);
  disk.restart(0);  // a power cut, after which only what was synced is there
  EXPECT_EQ(files(), 0U);
}

TEST_F(HistoryBookTest, EachKeyFindsIt) {
  accepted("m1", "Ann@Example.com", {"bob@customer.example", "carl@customer.example"}, "<Id.1@client>");
  attempted("m1", "Ann@Example.com", "bob@customer.example", Fate::delivered, "Ok", "Q42");
  accepted("m2", "else@other.example", {"dora@where.example"});
  pass(1s);
  for (const char* key : {"m1", "ann@example.com", "ANN@EXAMPLE.COM", "<carl@customer.example>",
                          "@customer.example", "@CUSTOMER.example", "<id.1@client>", "Id.1@client", "Q42"})
    EXPECT_THAT(found(key), ElementsAre("m1")) << key;
  for (const char* key : {"m", "nn@example.com", "@example", "bob", "Q4", "Id.1", "x\"y", "Ok"})
    EXPECT_THAT(found(key), IsEmpty()) << key;
  EXPECT_THAT(found(""), ElementsAre("m1", "m2"));
}

TEST_F(HistoryBookTest, TheLastOnesAreThoseOfWhichSomethingWasToldLast) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  accepted("m2", "ann@example.com", {"bob@customer.example"});
  attempted("m1", "ann@example.com", "bob@customer.example", Fate::delivered);
  pass(1s);
  EXPECT_THAT(found(HistoryQuery{.limit = 1}), ElementsAre("m1"));
  EXPECT_TRUE(search_history(folder(), {.limit = 1}).more);
  EXPECT_THAT(found(HistoryQuery{.limit = 2}), ElementsAre("m2", "m1"));
  EXPECT_FALSE(search_history(folder(), {.limit = 2}).more);
}

TEST_F(HistoryBookTest, WhatWasDeliveredAfterAllHasNotFailed) {
  const std::string ann = "ann@example.com", bob = "bob@customer.example";
  for (const char* id : {"m1", "m2"}) {
    accepted(id, ann, {bob});
    attempted(id, ann, bob, Fate::failed);
  }
  attempted("m1", ann, bob, Fate::delivered);
  pass(1s);
  EXPECT_THAT(found(HistoryQuery{.failed = true}), ElementsAre("m2"));
}

TEST_F(HistoryBookTest, WhatIsDoneToAMessageIsDoneToThoseWhoAreLeft) {
  using Kind = tell::Handled::Kind;
  const std::string ann = "ann@example.com";
  accepted("m1", ann, {"a@b.example", "b@b.example", "c@b.example"});
  attempted("m1", ann, "a@b.example", Fate::delivered);
  attempted("m1", ann, "b@b.example", Fate::failed);
  const auto states = [this] {
    pass(1s);
    std::string all;
    const Found found = search_history(folder(), {});
    for (const auto& [to, state] : found.messages.at(0).states) all += state + ' ';
    return all;
  };
  handled("m1", Kind::held);
  EXPECT_EQ(states(), "delivered failed held ");
  handled("m1", Kind::released);
  EXPECT_EQ(states(), "delivered failed released ");
  handled("m1", Kind::routeless);
  EXPECT_EQ(states(), "delivered failed deferred ");
  handled("m1", Kind::retried);
  EXPECT_EQ(states(), "delivered retried retried ");
  EXPECT_THAT(found(HistoryQuery{.failed = true}), IsEmpty());
  handled("m1", Kind::deleted);
  EXPECT_EQ(states(), "delivered deleted deleted ");
  EXPECT_THAT(found(HistoryQuery{.failed = true}), ElementsAre("m1"));
}

TEST_F(HistoryBookTest, SpaceIsBoundedAndTheOldestGoesFirst) {
  fill(0, 4'000);
  EXPECT_LE(octets(), config.history.size.count);
  EXPECT_GT(octets(), config.history.size.count * 3 / 4);
  EXPECT_LE(files(), 18U);
  EXPECT_THAT(found(name(0)), IsEmpty());
  EXPECT_THAT(found(name(3'999)), SizeIs(1));
  const std::vector<std::string> left = found("");
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_EQ(left[i], name(static_cast<int>(4'000 - left.size() + i)));
}

TEST_F(HistoryBookTest, ASmallerSizeHoldsAfterAReload) {
  config.history.size = 4_MiB;
  book->use(config);
  fill(0, 4'000);
  EXPECT_GT(octets(), 2 << 20);
  config.history.size = 1_MiB;
  book->use(config);
  pass(1s);
  EXPECT_LE(octets(), 1U << 20);
  EXPECT_THAT(found(name(3'999)), SizeIs(1));
}

TEST_F(HistoryBookTest, WhatIsTooOldGoesAlsoWhereNothingHappens) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  pass(24h);
  accepted("m2", "ann@example.com", {"bob@customer.example"});
  pass(24h * 13 - 1min);
  EXPECT_THAT(found(""), ElementsAre("m1", "m2"));
  pass(24h);
  EXPECT_THAT(found(""), ElementsAre("m2"));
  pass(48h);
  EXPECT_EQ(files(), 0U);
}

// A clock that was ahead for a while holds nothing back for longer.
TEST_F(HistoryBookTest, AClockThatWasAheadKeepsNothingForEver) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  pass(24h);
  const WallTime right = loop.wall_now();
  loop.set_wall(right + 24h * 365);
  accepted("m2", "ann@example.com", {"bob@customer.example"});
  pass(1s);
  loop.set_wall(right);
  accepted("m3", "ann@example.com", {"bob@customer.example"});
  pass(1s);
  EXPECT_THAT(found("m3"), SizeIs(1));
  pass(24h * 16);
  EXPECT_EQ(files(), 0U);
}

TEST_F(HistoryBookTest, NothingIsKeptWhereKeepIs0) {
  fill(0, 10);
  config.history.keep = 0s;
  book->use(config);
  fill(10, 20);
  EXPECT_EQ(files(), 0U);
  config.history.keep = 1h;
  book->use(config);
  fill(20, 30);
  EXPECT_THAT(found(""), SizeIs(10));
}

TEST_F(HistoryBookTest, ALineThatWasCutShortCostsItself) {
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  stop();
  const std::string path = "history/" + folder().names.at(0);
  const std::string whole = disk::read_whole(disk, path);
  for (std::size_t cut = 1; cut < whole.size(); cut += 7) {
    const std::unique_ptr<disk::File> file = disk.open(path);
    file->write_at(file->size(), whole.substr(0, cut));
    start();
    accepted(name(static_cast<int>(cut)), "ann@example.com", {"bob@customer.example"});
    stop();
    EXPECT_THAT(found(name(static_cast<int>(cut))), SizeIs(1)) << cut;
  }
  EXPECT_THAT(search_history(folder(), {.what = "m1"}).messages.at(0).lines, SizeIs(1));
  start();
}

TEST_F(HistoryBookTest, AFailureIsSaidOnceAndLosesNothingWhenItIsShort) {
  fill(0, 10);
  disk.arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  fill(10, 60);
  pass(10s);
  EXPECT_EQ(logged("history_not_written"), 1U);
  EXPECT_EQ(logged("history_written"), 0U);
  disk.heal();
  pass(1s);  // what was being written, and then what came meanwhile
  pass(1s);
  EXPECT_EQ(logged("history_written"), 1U);
  EXPECT_THAT(found(""), SizeIs(60));
  for (const MessageHistory& message : search_history(folder(), {}).messages)
    EXPECT_THAT(message.lines, SizeIs(2)) << message.id;
}

TEST_F(HistoryBookTest, ALongFailureLosesLinesAndCountsThem) {
  config.history.size = 16_MiB;
  book->use(config);
  pass(1s);
  disk.arm(1, ForgettingDisk::Fault::fails_on);
  fill(0, 5'000);
  disk.heal();
  pass(2s);
  const std::size_t kept = found("").size();
  EXPECT_GT(kept, 1'000U);
  EXPECT_LT(kept, 4'000U);
  EXPECT_LE(octets(), (2U << 20) + (200U << 10));
  EXPECT_EQ(logged("history_not_written"), 1U);
  EXPECT_EQ(logged("history_written\",\"lost\":0"), 0U);
  EXPECT_EQ(logged("history_written"), 1U);
  fill(5'000, 5'010);
  EXPECT_THAT(found(""), SizeIs(kept + 10));
}

TEST_F(HistoryBookTest, AnArrivalWithVeryManyRecipientsIsKeptWhole) {
  stop();
  config.log.addresses = config::LogAddresses::masked;
  config.history.size = 64_MiB;
  start();
  std::vector<std::string> to;
  for (int i = 0; i < 20'000; ++i)
    to.push_back(fmt::format("subscriber-{}@{}.customer.example", i, std::string(40, 'x')));
  accepted("m1", "ann@example.com", to);
  pass(1s);
  EXPECT_EQ(logged("history_not_written"), 0U);
  EXPECT_GT(octets(), 1U << 20);
  EXPECT_THAT(found(to.front()), ElementsAre("m1"));
  EXPECT_THAT(found(to.back()), ElementsAre("m1"));
  EXPECT_THAT(search_history(folder(), {.what = "m1"}).messages.at(0).states, SizeIs(to.size()));
}

TEST_F(HistoryBookTest, AnAddressIsFoundAsAWholeOnly) {
  accepted("m1", "joann@example.com", {"joann@customer.example", "ann@customer.example.org"});
  accepted("m2", "\"jo ann\"@example.com", {"bob@customer.example"});
  accepted("m3", "ann@example.com", {"bob@customer.example"});
  pass(1s);
  EXPECT_THAT(found("ann@example.com"), ElementsAre("m3"));
  EXPECT_THAT(found("ann@customer.example"), IsEmpty());
  EXPECT_THAT(found("@example"), IsEmpty());
}

TEST_F(HistoryBookTest, AFullDiskIsWaitedFor) {
  disk.set_capacity(256_KiB);
  fill(0, 1'000);
  EXPECT_EQ(logged("history_not_written"), 1U);
  disk.set_capacity(16_MiB);
  pass(2s);
  EXPECT_EQ(logged("history_written"), 1U);
  EXPECT_THAT(found(name(999)), SizeIs(1));
}

// Mail needs the rest of the disk more.
TEST_F(HistoryBookTest, WhereTheDiskHasLittleRoomItDoesNotGrow) {
  fill(0, 500);
  const std::uint64_t before = octets();
  config.queue.reserve = 2_GiB;
  book->use(config);
  fill(500, 1'000);
  EXPECT_LE(octets(), before);
  EXPECT_THAT(found(name(999)), SizeIs(1));
  config.queue.reserve = 0_B;
  book->use(config);
  fill(1'000, 1'500);
  EXPECT_GT(octets(), before);
}

TEST_F(HistoryBookTest, FilesThatSomebodyRemovedAreBegunAnew) {
  fill(0, 10);
  for (const std::string& one : folder().names) disk.remove("history/" + one);
  fill(10, 20);
  EXPECT_THAT(found(""), SizeIs(10));
  EXPECT_EQ(logged("history_not_written"), 0U);
}

TEST_F(HistoryBookTest, FilesOfOthersAreLeftAlone) {
  disk.make_directory("history");
  for (const char* one :
       {"history/notes.txt", "history/1-2.jsonl.bak", "history/x-1.jsonl", "history/1-99999999999999.jsonl"})
    disk.create(one);
  config.history.keep = 0s;
  book->use(config);
  pass(2h);
  EXPECT_THAT(folder().names, SizeIs(4));
}

TEST_F(HistoryBookTest, MaskedAddressesAreFoundByTheFullOneAlsoAfterARestart) {
  stop();
  config.log.addresses = config::LogAddresses::masked;
  start();
  accepted("m1", "ann@example.com", {"bob@customer.example"});
  stop();
  start();
  accepted("m2", "ann@example.com", {"bert@customer.example"});
  pass(1s);
  EXPECT_THAT(found("ann@example.com"), ElementsAre("m1", "m2"));
  EXPECT_THAT(found("BOB@customer.example"), ElementsAre("m1"));
  EXPECT_THAT(found("@customer.example"), ElementsAre("m1", "m2"));
  EXPECT_THAT(found("ben@customer.example"), IsEmpty());
}

// Both are b***@customer.example.
TEST_F(HistoryBookTest, MaskedRecipientsThatLookTheSameHaveStatesOfTheirOwn) {
  const std::string ann = "ann@example.com", bob = "bob@customer.example", bert = "bert@customer.example";
  accepted("m1", ann, {bob, bert});  // and its log is not masked yet
  stop();
  config.log.addresses = config::LogAddresses::masked;
  start();
  accepted("m2", ann, {bob, bert});
  for (const char* id : {"m1", "m2"}) {
    attempted(id, ann, bob, Fate::failed);
    attempted(id, ann, bert, Fate::delivered);
  }
  pass(1s);
  EXPECT_THAT(found(HistoryQuery{.failed = true}), ElementsAre("m1", "m2"));
  for (const MessageHistory& message : search_history(folder(), {}).messages)
    EXPECT_THAT(message.states, ElementsAre(Pair(_, "failed"), Pair(_, "delivered"))) << message.id;
  attempted("m2", ann, bob, Fate::delivered);
  pass(1s);
  EXPECT_THAT(found(HistoryQuery{.failed = true}), ElementsAre("m1"));
}

TEST_F(HistoryBookTest, AnAddressIsFoundInEachOfItsSpellings) {
  accepted("m1", "ann@b\u00fccher.example", {"\"bob\"@customer.example"});
  accepted("m2", "ann@xn--bcher-kva.example", {"bob@customer.example"});
  accepted("m3", "j\u00f6rg@example.com", {"\"b o\\b\"@customer.example"});
  pass(1s);
  for (const char* key : {"ann@b\u00fccher.example", "ANN@XN--BCHER-KVA.example", "@b\u00fccher.example",
                          "@xn--bcher-kva.example", "\"ann\"@b\u00fccher.EXAMPLE"})
    EXPECT_THAT(found(key), ElementsAre("m1", "m2")) << key;
  for (const char* key : {"bob@customer.example", "\"b\\ob\"@customer.example"})
    EXPECT_THAT(found(key), ElementsAre("m1", "m2")) << key;
  EXPECT_THAT(found("J\u00f6RG@example.com"), ElementsAre("m3"));
  EXPECT_THAT(found("\"b ob\"@customer.example"), ElementsAre("m3"));
  EXPECT_THAT(found("ben@b\u00fccher.example"), IsEmpty());
}

TEST_F(HistoryBookTest, AFlushDoesNotWaitForWhatComesLater) {
  config.history.size = 64_MiB;
  book->use(config);
  settle();
  const auto much = [this] {
    for (int i = 0; i < 300; ++i)
      accepted(name(i), std::string(300, 'x') + "@example.com", {"bob@customer.example"});
  };
  much();
  async::Task<void> flush = book->flush();
  flush.start();
  // One write a turn: the next one stands behind a gate that is still shut.
  std::array<std::promise<void>, 20> gates;
  std::vector<async::Task<void>> passed;
  for (std::promise<void>& gate : gates) {
    much();
    const auto wait = [&gate] { gate.get_future().wait(); };
    passed.push_back(workers.run(wait));
    passed.back().start();
    if (passed.size() == 1) continue;
    gates[passed.size() - 2].set_value();
    loop.run_until([&] { return passed[passed.size() - 2].done(); });
  }
  EXPECT_TRUE(flush.done());
  gates.back().set_value();
  loop.run_until([&] { return passed.back().done(); });
  stop();
  start();
}

TEST_F(HistoryBookTest, TheNewestThatFailedAreFoundAmongMany) {
  for (int i = 0; i < 2'500; ++i) {
    accepted(name(i), "ann@example.com", {"bob@customer.example"});
    attempted(name(i), "ann@example.com", "bob@customer.example", i < 5 ? Fate::failed : Fate::delivered);
    if (i % 50 == 0) pass(1s);
  }
  pass(1s);
  const Found some = search_history(folder(), {.what = "ann@example.com", .failed = true, .limit = 2});
  ASSERT_THAT(some.messages, SizeIs(2));
  EXPECT_EQ(some.messages[0].id, name(3));
  EXPECT_EQ(some.messages[1].id, name(4));
  EXPECT_TRUE(some.more);
  EXPECT_FALSE(search_history(folder(), {.what = "ann@example.com", .failed = true, .limit = 5}).more);
}

}  // namespace
}  // namespace relayd
