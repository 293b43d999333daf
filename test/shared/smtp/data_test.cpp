#include "shared/smtp/data.hpp"

#include <gtest/gtest.h>

#include <random>

namespace relayd::smtp {
namespace {

struct Decoded {
  std::string content;
  std::size_t taken = 0;
  bool done = false;
  std::uint64_t bare = 0;
  bool operator==(const Decoded&) const = default;
};

Decoded decode(std::string_view wire, std::size_t split, DataDecoder::Content content) {
  DataDecoder decoder(content);
  Decoded result;
  result.taken = decoder.feed(wire.substr(0, split), result.content);
  result.taken += decoder.feed(wire.substr(std::min(split, wire.size())), result.content);
  result.done = decoder.done();
  result.bare = decoder.bare_newlines();
  return result;
}

// The same at every split point.
Decoded decode(std::string_view wire, DataDecoder::Content content = DataDecoder::Content::body) {
  const Decoded whole = decode(wire, wire.size(), content);
  for (std::size_t split = 0; split < wire.size(); ++split) {
    const Decoded parts = decode(wire, split, content);
    EXPECT_EQ(parts.content, whole.content) << split;
    EXPECT_TRUE(parts == whole) << split;
  }
  return whole;
}

std::string encode(std::string_view stored) {
  std::string whole;
  DataEncoder encoder;
  encoder.feed(stored, whole);
  encoder.finish(whole);
  for (std::size_t split = 0; split < stored.size(); ++split) {
    std::string parts;
    encoder.feed(stored.substr(0, split), parts);
    encoder.feed(stored.substr(split), parts);
    encoder.finish(parts);
    EXPECT_EQ(parts, whole) << split;
  }
  return whole;
}

TEST(DataDecoder, OnlyCrLfDotCrLfEnds) {
  const std::string fake = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nfake";
  for (const char* end : {"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n"}) {
    const std::string wire = std::string("x").append(end).append(fake).append("\r\n.\r\n");
    const Decoded read = decode(wire);
    EXPECT_TRUE(read.done);
    EXPECT_EQ(read.taken, wire.size());
    EXPECT_NE(read.content.find("fake\r\n"), std::string::npos);
    EXPECT_GT(read.bare, 0u);
  }
}

TEST(DataDecoder, NormalisesBareNewlines) {
  EXPECT_EQ(decode("a\nb\rc\r\n.\r\n").content, "a\r\nb\r\nc\r\n");
  EXPECT_EQ(decode("a\nb\rc\r\n.\r\n").bare, 2u);
  EXPECT_EQ(decode("a\n.\r\nb\r\n.\r\n").content, "a\r\n.\r\nb\r\n");  // a lone dot that is content
  EXPECT_EQ(decode("a\n..b\r\n.\r\n").content, "a\r\n..b\r\n");        // no line began: nothing is un-stuffed
  EXPECT_EQ(decode("a\r\n.\nb\r\n.\r\n").content, "a\r\n\r\nb\r\n");
  EXPECT_EQ(decode("a\r\n.\rb\r\n.\r\n").content, "a\r\n\r\nb\r\n");
  EXPECT_EQ(decode("a\r\r\n.\r\n").content, "a\r\n\r\n");
  EXPECT_EQ(decode("\n\r\n.\r\n").content, "\r\n\r\n");
}

TEST(DataDecoder, ABareReturnOfAHeaderMakesNoLine) {
  const auto message = [](std::string_view wire) { return decode(wire, DataDecoder::Content::message); };
  EXPECT_EQ(message("X: a\rB: c\r\n\r\nd\re\r\n.\r\n").content, "X: a B: c\r\n\r\nd\r\ne\r\n");
  EXPECT_EQ(message("X: a\rB: c\r\n\r\nd\re\r\n.\r\n").bare, 2u);
  EXPECT_EQ(message("X: a\nB: c\n\nd\re\r\n.\r\n").content, "X: a\r\nB: c\r\n\r\nd\r\ne\r\n");
  EXPECT_EQ(message("X: a\r\r\n\rB: c\r\n .\rd\r\n.\r\n").content, "X: a \r\n B: c\r\n . d\r\n");
  EXPECT_EQ(message("X: a\r\n\r\r\r\nb\rc\r\n.\r\n").content, "X: a\r\n\r\nb\r\nc\r\n");
}

TEST(DataDecoder, ABareReturnWhereNoFieldIsMakesALine) {
  const auto message = [](std::string_view wire) {
    return decode(wire, DataDecoder::Content::message).content;
  };
  EXPECT_EQ(message("x\r.\rB: c\r\n.\r\n"), "x\r\n.\r\nB: c\r\n");
  EXPECT_EQ(message("\rB: c\rd\r\n.\r\n"), "\r\nB: c\r\nd\r\n");
  EXPECT_EQ(message("X: a\r\nno field\rB: c\rd\r\n.\r\n"), "X: a\r\nno field\r\nB: c\r\nd\r\n");
  EXPECT_EQ(message("From a 8:00\r\nX: a\rB: c\r\n.\r\n"), "From a 8:00\r\nX: a B: c\r\n");
}

TEST(DataDecoder, RemovesOneLeadingDot) {
  EXPECT_EQ(decode("..\r\n.x\r\n...\r\n.\r\n").content, ".\r\nx\r\n..\r\n");
  EXPECT_EQ(decode("a..\r\n.\r\n").content, "a..\r\n");
}

TEST(DataDecoder, EmptyMessage) {
  const Decoded read = decode(".\r\nQUIT\r\n");
  EXPECT_TRUE(read.done);
  EXPECT_EQ(read.content, "");
  EXPECT_EQ(read.taken, 3u);
}

TEST(DataDecoder, LeavesWhatFollowsTheEnd) {
  EXPECT_EQ(decode("a\r\n.\r\n.\r\n").taken, 6u);
  DataDecoder decoder;
  std::string out;
  decoder.feed("a\r\n.\r\n", out);
  EXPECT_EQ(decoder.feed("QUIT\r\n", out), 0u);
  EXPECT_EQ(out, "a\r\n");
}

TEST(DataDecoder, CountsAndKeepsNulOctets) {
  DataDecoder decoder;
  std::string out;
  decoder.feed({"a\0b\0\r\n.\r\n\0", 10}, out);
  EXPECT_EQ(out, std::string_view("a\0b\0\r\n", 6));
  EXPECT_EQ(decoder.nul_octets(), 2u);
}

TEST(DataEncoder, StuffsDotsAndEndsTheMessage) {
  EXPECT_EQ(encode("a\r\n.\r\n..b\r\n"), "a\r\n..\r\n...b\r\n.\r\n");
  EXPECT_EQ(encode(".a"), "..a\r\n.\r\n");
  EXPECT_EQ(encode(""), ".\r\n");
}

TEST(DataEncoder, BareNewlinesNeverReachTheWire) {
  EXPECT_EQ(encode("a\n.\nb\r.\rc"), "a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n");
  EXPECT_EQ(encode("a\r\r\n\n"), "a\r\n\r\n\r\n.\r\n");
  EXPECT_EQ(encode("a\r"), "a\r\n.\r\n");
}

// Random texts over the octets that matter.
std::string random_text(std::mt19937& random, bool canonical) {
  const std::vector<std::string> pieces = {
      ".", "x", "\r\n", "..", canonical ? "y" : "\n", canonical ? "z" : "\r"};
  std::string text;
  for (int i = 0; i < 12; ++i) text += pieces[random() % pieces.size()];
  return canonical ? text + "\r\n" : text;
}

TEST(Data, DecodingUndoesEncoding) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::string stored = random_text(random, true);
    const Decoded read = decode(encode(stored));
    ASSERT_TRUE(read.done);
    ASSERT_EQ(read.content, stored);
    ASSERT_EQ(read.bare, 0u);
  }
}

TEST(Data, TheWireIsCanonicalWhateverIsStored) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    const std::string wire = encode(random_text(random, false));
    const Decoded read = decode(wire);
    ASSERT_TRUE(read.done);
    ASSERT_EQ(read.taken, wire.size());
    ASSERT_EQ(read.bare, 0u);
  }
}

}  // namespace
}  // namespace relayd::smtp
