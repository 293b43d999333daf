#include "shared/base/base64.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::base64 {
namespace {

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// RFC 4648 10.
TEST(Base64, KnownTexts) {
  const std::pair<std::string_view, std::string_view> known[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [octets, text] : known) {
    EXPECT_EQ(encode(octets), text);
    EXPECT_EQ(decode(text), octets);
    EXPECT_EQ(decode_leniently(text), octets);
  }
}

TEST(Base64, EachLetterHasItsValue) {
  for (std::size_t value = 0; value < letters.size(); ++value) {
    const std::string octets = {static_cast<char>(value << 2), 0, 0};
    const std::string text = std::string(1, letters[value]) + "AAA";
    EXPECT_EQ(encode(octets), text);
    EXPECT_EQ(decode(text), octets);
  }
}

TEST(Base64, AnyOtherOctetIsNoLetter) {
  for (int octet = 0; octet < 256; ++octet) {
    const char letter = static_cast<char>(octet);
    if (letters.find(letter) != std::string_view::npos) continue;
    for (std::size_t at = 0; at < 4; ++at) {
      std::string text = "AAAAAAAA";
      text[at] = letter;
      EXPECT_EQ(decode(text), std::nullopt) << octet;
      EXPECT_EQ(decode_leniently(text), std::string(at * 6 / 8, '\0')) << octet;
    }
  }
}

TEST(Base64, EveryOctetComesBackFromEveryPlace) {
  for (std::size_t before = 0; before < 3; ++before)
    for (int octet = 0; octet < 256; ++octet) {
      const std::string octets = std::string(before, '\xff') + static_cast<char>(octet);
      EXPECT_EQ(decode(encode(octets)), octets);
    }
}

TEST(Base64, PaddingIsWholeAndTheBitsBeforeItAreZero) {
  for (const std::string_view text : {"Zg", "Zg=", "Zg===", "Z===", "=", "====", "Zm8",
                                      "Zh==", "Zm9=", "Zm9v=", "Zm9v====", "Zg==Zg==", "Zg= =", "Zm9v\n"})
    EXPECT_EQ(decode(text), std::nullopt) << text;
}

TEST(Base64, CarelessTextIsReadAsFarAsItGoes) {
  EXPECT_EQ(decode_leniently("Zm8"), "fo");
  EXPECT_EQ(decode_leniently("Zm9v*Zm9v"), "foo");
  EXPECT_EQ(decode_leniently("Zh=="), "f");
  EXPECT_EQ(decode_leniently("="), "");
}

}  // namespace
}  // namespace relayd::base64
