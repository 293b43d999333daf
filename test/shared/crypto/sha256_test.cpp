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

// RFC 4231 4.2, 4.3, 4.7: a short key, and one that is longer than a block.
TEST(HmacSha256, KnownMacs) {
  EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(
      hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

}  // namespace
}  // namespace relayd::crypto
