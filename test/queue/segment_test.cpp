#include "queue/segment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/ground.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

constexpr std::uint64_t generation = 0x0123456789abcdef;
constexpr std::size_t size = 64, copy_at = 4096;

TEST(SegmentHeader, ComesBackAndIsNeverReadWithAFlippedBit) {
  const std::string bytes = encode_header({12, generation, 11, 65536, SegmentKind::moved});
  ASSERT_EQ(bytes.size(), segment_start);
  EXPECT_FALSE(decode_header(bytes).is_copy);
  for (std::size_t bit = 0; bit < size * 8; ++bit) {
    SCOPED_TRACE(bit);
    std::string damaged = bytes;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const HeaderVerdict verdict = decode_header(damaged);
    EXPECT_TRUE(verdict.is_copy);
    ASSERT_TRUE(verdict.header);
    EXPECT_EQ(verdict.header->sequence, 12U);
    EXPECT_EQ(verdict.header->generation, generation);
    EXPECT_EQ(verdict.header->previous, 11U);
    EXPECT_EQ(verdict.header->previous_end, 65536U);
    EXPECT_EQ(verdict.header->kind, SegmentKind::moved);
    damaged.replace(copy_at, size, damaged, 0, size);
    EXPECT_EQ(decode_header(damaged).version, 0U);
  }
}

TEST(SegmentHeader, ABlockThatIsGoneIsReadFromTheOther) {
  std::string bytes = encode_header({12, generation, 11, 65536, SegmentKind::state});
  bytes.replace(0, copy_at, std::string(copy_at, '\0'));
  EXPECT_EQ(decode_header(bytes).header.value().sequence, 12U);
}

TEST(SiteName, IsReadBackAndNothingElseIs) {
  EXPECT_EQ(Ground::site_number(Ground::Log::messages, "0000000000000012.journal"), 12U);
  EXPECT_EQ(Ground::site_number(Ground::Log::state, "0000000000000007.state"), 7U);
  for (const char* other : {"12.journal", "0000000000000012.journal~", "000000000000001x.journal", "",
                            "0000000000000000.journal", "-000000000000012.journal", "0000000000000012.state"})
    EXPECT_EQ(Ground::site_number(Ground::Log::messages, other), std::nullopt) << other;
}

TEST(Salvage, OnlyTheSectorsThatCannotBeReadAreZero) {
  test::ForgettingDisk disk;
  const auto file = disk.create("x");
  file->write_at(0, std::string(100'000, 'x'));
  for (const std::size_t bad : {100UL, 511UL, 512UL, 50'000UL, 99'999UL}) {
    SCOPED_TRACE(bad);
    disk.fail_reads("x", bad, bad + 1);
    std::uint64_t unreadable = 0;
    const std::string bytes = read_what_can_be_read(*file, 100, 99'900, unreadable);
    disk.heal_reads();
    const std::size_t sector = bad / 512 * 512;
    for (std::size_t at = 100; at < 100'000; ++at)
      ASSERT_EQ(bytes[at - 100], at / 512 * 512 == sector ? '\0' : 'x') << at;
    EXPECT_LE(unreadable, 512U);
    EXPECT_GT(unreadable, 0U);
  }
}

}  // namespace
}  // namespace relayd::queue
