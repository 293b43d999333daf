// What `sendmail -bs` lets leave, and when.
#include "sendmail_turns.hpp"

#include <gtest/gtest.h>

namespace relayd::command {
namespace {

// What has left when all is said: the daemon answers each turn with the next of `replies`.
std::string sent(std::string_view dialogue, const std::vector<std::string_view>& replies,
                 std::size_t piece = 10'000) {
  SendmailTurns turns;
  std::string all;
  const auto take = [&] {
    for (std::string said = turns.take(); !said.empty(); said = turns.take()) all += said;
  };
  for (; !dialogue.empty(); dialogue.remove_prefix(std::min(piece, dialogue.size()))) {
    turns.feed(dialogue.substr(0, piece));
    take();
  }
  for (const std::string_view reply : replies) {
    turns.hear(reply);
    take();
  }
  return all;
}

TEST(SendmailTurns, ACommandLeavesWhenTheReplyToTheOneBeforeHasCome) {
  const std::string_view said = "EHLO x\r\nMAIL FROM:<a@b.example>\r\nQUIT\r\n";
  EXPECT_EQ(sent(said, {}), "");
  EXPECT_EQ(sent(said, {"220 relay\r\n"}), "EHLO x\r\n");
  EXPECT_EQ(sent(said, {"220-relay\r\n220 here\r\n", "250-x\r\n250-y\r\n"}), "EHLO x\r\n");
  EXPECT_EQ(sent(said, {"220 relay\r\n", "250-x\r\n2", "50 y\r\n", "250\r\n"}), said);
}

TEST(SendmailTurns, ContentLeavesWhenItWasAskedForAndEndsAsItsDataDid) {
  const std::string_view crlf = "DATA\r\nx\n.\nRSET\n\r\n..y\r\n.\r\nQUIT\r\n";
  EXPECT_EQ(sent(crlf, {"220 x\r\n"}), "DATA\r\n");
  EXPECT_EQ(sent(crlf, {"220 x\r\n", "354 go\r\n"}), crlf.substr(0, crlf.size() - 6));
  EXPECT_EQ(sent(crlf, {"220 x\r\n", "354 go\r\n", "250 ok\r\n"}), crlf);
  EXPECT_EQ(sent("DATA\nx\n..y\n.\nQUIT\n", {"220 x\r\n", "354 go\r\n", "250 ok\r\n"}),
            "DATA\r\nx\r\n..y\r\n.\r\nQUIT\r\n");
}

TEST(SendmailTurns, TheCutDoesNotMatter) {
  for (const std::string_view said : {"data \r\nx\r\n..\r\n.\r\nQUIT\r\n", "DATA\nx\n..\n.\nQUIT\n"})
    for (std::size_t piece = 1; piece < said.size(); ++piece)
      EXPECT_EQ(sent(said, {"220 x\r\n", "354 go\r\n", "250 ok\r\n"}, piece),
                sent(said, {"220 x\r\n", "354 go\r\n", "250 ok\r\n"}));
}

TEST(SendmailTurns, NothingBehindARefusedDataLeavesUnlessItComesLater) {
  SendmailTurns turns;
  turns.hear("220 x\r\n");
  turns.feed("DATA\r\nRSET\r\n");
  EXPECT_EQ(turns.take(), "DATA\r\n");
  turns.hear("451 4.3.0 Later\r\n");
  EXPECT_EQ(turns.take(), "");
  EXPECT_EQ(turns.refused(), 451);
  EXPECT_EQ(sent("DATA\r\n", {"220 x\r\n", "503 no\r\n"}), "DATA\r\n");
}

TEST(SendmailTurns, BehindStarttlsEverythingLeaves) {
  SendmailTurns turns;
  turns.hear("220 x\r\n");
  turns.feed("STARTTLS\r\n");
  EXPECT_EQ(turns.take(), "STARTTLS\r\n");
  turns.hear("220 go\r\n");
  turns.feed("\x16\x03 no line");
  EXPECT_EQ(turns.take(), "\x16\x03 no line");
}

TEST(SendmailTurns, ALineWithoutEndIsNotKept) {
  SendmailTurns turns;
  turns.hear("220 x\r\n");
  turns.feed(std::string(70'000, 'x'));
  EXPECT_TRUE(turns.full());
  EXPECT_EQ(turns.take().size(), 70'000u);
  EXPECT_FALSE(turns.full());
}

}  // namespace
}  // namespace relayd::command
