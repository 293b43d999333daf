#include "shared/crypto/sha256.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::crypto {
namespace {

std::string hex(const Digest& digest) {
  std::string text;
  for (const std::uint8_t octet : digest) {
    text += "0123456789abcdef"[octet >> 4];
    text += "0123456789abcdef"[octet & 15];
  }
  return text;
}

// FIPS 180-4, examples.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(hex(Sha256().finish()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 abc;
  abc.update("abc");
  EXPECT_EQ(hex(abc.finish()), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, TheCutDoesNotMatterAndACopyGoesOnByItself) {
  const std::string text(200, 'x');
  Sha256 whole;
  whole.update(text);
  const Digest expected = whole.finish();
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 first;
    first.update(std::string_view(text).substr(0, cut));
    Sha256 second = first;
    first.update("something else");
    second.update(std::string_view(text).substr(cut));
    EXPECT_EQ(second.finish(), expected) << cut;
  }
}

}  // namespace
}  // namespace relayd::crypto
