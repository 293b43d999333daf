// A queue that loses one sector of its state log, each in turn: no message is lost, and none that has ended
// waits again. RELAYD_DAMAGE_SEEDS=1000 has so many queues lose them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crash/damage_fixture.hpp"

namespace relayd::queue {
namespace {

using testing::IsEmpty;

// What becomes of a sector of 4096 octets.
enum class Harm { garbled, zeroed, unreadable };

// Every sector of the state log in which something is said of a message is lost alone.
class SectorTest : public DamageTest {
 protected:
  static constexpr std::size_t wide_sector = 4096;
  using Place = std::pair<std::string, std::size_t>;  // file and offset

  struct Tally {
    unsigned sectors = 0;
    unsigned lost = 0;        // of these, such that cost a living message
    unsigned sent_twice = 0;  // such that have a message that ended wait again
  };

  void SetUp() override {
    DamageTest::SetUp();
    options.segment_size = 64_KiB;
  }

  // Messages come and end in any order, until there are summaries, checkpoints and segments that were moved.
  void live(unsigned seed) {
    close();
    memory.~ForgettingDisk();
    new (&memory) ForgettingDisk();
    reopen();
    std::mt19937 random(seed);
    const unsigned apart = seed % 2 == 0 ? 1 : 0x010305;  // ids that follow each other, or are far apart
    std::vector<MessageId> living;
    for (int i = 0; i < 500; ++i) {
      loop.advance(std::chrono::microseconds(apart));
      living.push_back(commit(std::string(100 + 20 * seed, 'x')));
      if (living.size() <= 12 + seed % 60) continue;
      const auto one = living.begin() + static_cast<std::ptrdiff_t>(random() % living.size());
      end(*one);
      living.erase(one);
    }
    settle_down();
  }

  void cut_the_power() {
    memory.arm(1, ForgettingDisk::Fault::power_fails);
    queue.reset();
    memory.restart(0);
  }

  // `visit`: with each sound record of the state log, its sector, and the number of its segment.
  template <class Visit>
  void for_each_sector(Visit visit) {
    for (const std::string& path : files()) {
      const std::string bytes = contents(path);
      const std::string_view all = bytes;
      const auto header = decode_header(all.substr(0, segment_start)).header;
      if (!path.starts_with("state/") || !header) continue;
      for (std::size_t at = next_sound(all, segment_start, header->generation); at < all.size();) {
        const auto record = parse_record(all.substr(at), header->generation);
        visit(*record, Place(path, at / wide_sector * wide_sector), header->sequence);
        at = next_sound(all, at + record->length, header->generation);
      }
    }
  }
  std::set<Place> sectors_that_matter() {
    std::set<Place> found;
    for_each_sector([&found](const Record& record, const Place& place, std::uint64_t) {
      if (record.type == RecordType::summary || is_final(record)) found.insert(place);
    });
    return found;
  }
  // Where the log of a killed queue ends, damage that can be read looks like a tear.
  Place end_of_log() {
    std::uint64_t newest = 0;
    Place end;
    for_each_sector([&](const Record&, const Place& place, std::uint64_t sequence) {
      if (sequence < newest) return;
      newest = sequence;
      end = place;
    });
    return end;
  }

  Start start_without(const std::string& path, std::size_t from, Harm harm) {
    if (harm == Harm::unreadable) {
      memory.fail_reads(path, from, from + wide_sector);
      Start found = start();
      memory.heal_reads();
      return found;
    }
    const std::string sound = contents(path).substr(from, wide_sector);
    std::string harmed(sound.size(), '\0');
    for (std::size_t at = 0; at < sound.size() && harm == Harm::garbled; ++at)
      harmed[at] = static_cast<char>(sound[at] ^ (at % 8 == 0 ? 0xff : 0));
    const auto file = memory.open(path);
    file->write_at(from, harmed);
    Start found = start();
    file->write_at(from, sound);
    return found;
  }

  void lose_every_sector(Harm harm, Place end, Tally& tally) {
    const Start sound = start();
    EXPECT_THAT(sound.set_aside, IsEmpty());
    for (const auto& [path, from] : sectors_that_matter()) {
      if (Place(path, from) == end) continue;
      const Start found = start_without(path, from, harm);
      ++tally.sectors;
      tally.lost += std::ranges::any_of(sound.messages, [&found](const auto& each) {
        const auto there = found.messages.find(each.first);
        return there == found.messages.end() || there->second.body != each.second.body;
      });
      tally.sent_twice += std::ranges::any_of(found.messages, [&sound](const auto& each) {
        return !sound.messages.contains(each.first) && each.second.state == MessageState::waiting;
      });
    }
  }

  void demand(Harm harm, bool killed) {
#ifdef __SANITIZE_ADDRESS__
    constexpr unsigned usual_seeds = 6;
#else
    constexpr unsigned usual_seeds = 40;
#endif
    const char* const wanted = std::getenv("RELAYD_DAMAGE_SEEDS");
    const unsigned seeds = wanted ? static_cast<unsigned>(std::strtoul(wanted, nullptr, 10)) : usual_seeds;
    Tally tally;
    for (unsigned seed = 1; seed <= seeds; ++seed) {
      SCOPED_TRACE(seed);
      live(seed);
      killed ? cut_the_power() : close();
      lose_every_sector(harm, killed && harm != Harm::unreadable ? end_of_log() : Place(), tally);
    }
    EXPECT_GT(tally.sectors, seeds);
    EXPECT_EQ(tally.lost, 0U) << "of " << tally.sectors;
    EXPECT_EQ(tally.sent_twice, 0U) << "of " << tally.sectors;
  }
};

TEST_F(SectorTest, AGarbledSectorOfTheStateLogLosesNothingAndSendsNothingTwice) {
  for (const bool killed : {false, true}) demand(Harm::garbled, killed);
}

TEST_F(SectorTest, ASectorOfZeroesInTheStateLogLosesNothingAndSendsNothingTwice) {
  for (const bool killed : {false, true}) demand(Harm::zeroed, killed);
}

TEST_F(SectorTest, AnUnreadableSectorOfTheStateLogLosesNothingAndSendsNothingTwice) {
  for (const bool killed : {false, true}) demand(Harm::unreadable, killed);
}

}  // namespace
}  // namespace relayd::queue
