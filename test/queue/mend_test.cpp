// One wrong octet of a record.
#include "queue/mend.hpp"

#include <gtest/gtest.h>

#include <string>

#include "queue/record.hpp"

namespace relayd::queue {
namespace {

constexpr std::uint64_t generation = 0x1122334455667788;

std::string sound_record(std::size_t size) {
  std::string record = encode_event(RecordType::hold, MessageId{7}, {}, {});
  record.resize(size, 'x');
  seal(record, generation, 64);
  return record;
}

TEST(Mend, PutsAnyOneOctetRight) {
  const std::string sound = sound_record(96);
  for (std::size_t octet = 0; octet < sound.size(); ++octet) {
    std::string damaged = sound;
    damaged[octet] = static_cast<char>(damaged[octet] ^ 0x41);
    EXPECT_EQ(mended_record(damaged, generation), sound) << octet;
  }
}

TEST(Mend, KnowsWhereTheRecordEndsUnlessItsLengthIsWrong) {
  const std::string sound = sound_record(96);
  std::string damaged = sound + std::string(64, 'y');
  damaged[40] ^= 1;
  EXPECT_EQ(mended_record(damaged, generation), sound);
  damaged[40] ^= 1;
  damaged[length_at] ^= 1;
  EXPECT_EQ(mended_record(damaged, generation), std::nullopt);
}

TEST(Mend, GivesUpOnTwoOctets) {
  std::string damaged = sound_record(96);
  for (const std::size_t octet : {40, 41}) damaged[octet] ^= 1;
  EXPECT_EQ(mended_record(damaged, generation), std::nullopt);
}

TEST(Mend, GivesUpOnAnotherGeneration) {
  EXPECT_EQ(mended_record(sound_record(96), generation + 1), std::nullopt);
}

TEST(Mend, TriesRecordsOfAKibibyte) {
  for (const std::size_t size : {1024, 1032}) {
    std::string damaged = sound_record(size);
    damaged[32] ^= 1;
    EXPECT_EQ(mended_record(damaged, generation).has_value(), size == 1024);
  }
}

}  // namespace
}  // namespace relayd::queue
