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
  EXPECT_TRUE(turns.stuck());
  EXPECT_EQ(turns.refused(), 451);
  EXPECT_EQ(sent("DATA\r\n", {"220 x\r\n", "503 no\r\n"}), "DATA\r\n");
}

// What is refused of a dialogue in which each line is a command, or a message of one line and its dot.
int refused(std::initializer_list<std::pair<std::string_view, std::string_view>> lines) {
  SendmailTurns turns;
  turns.hear("220 x\r\n");
  for (const auto& [line, reply] : lines) {
    turns.feed(line);
    while (!turns.take().empty()) {
    }
    turns.hear(reply);
  }
  return turns.refused();
}

TEST(SendmailTurns, TheFirstRefusalOfATransactionIsTheOneThatCounts) {
  EXPECT_EQ(refused({{"MAIL x\n", "451\n"}, {"RCPT x\n", "503\n"}, {"DATA\nx\n", "503\n"}}), 451);
  EXPECT_EQ(refused({{"MAIL x\n", "250\n"}, {"RCPT x\n", "450\n"}, {"DATA\nx\n", "554\n"}}), 450);
  EXPECT_EQ(refused({{"MAIL x\n", "451\n"}, {"RSET\n", "250\n"}, {"DATA\nx\n", "503\n"}}), 503);
  EXPECT_EQ(refused({{"MAIL x\n", "451\n"}, {"MAIL x\n", "250\n"}, {"DATA\nx\n", "554\n"}}), 554);
  EXPECT_EQ(
      refused({{"RCPT x\n", "450\n"}, {"DATA\n", "354\n"}, {"x\n.\n", "250\n"}, {"DATA\nx\n", "503\n"}}),
      503);
}

TEST(SendmailTurns, AMessageThatWasRefusedAtItsEndIsNotForgotten) {
  EXPECT_EQ(refused({{"DATA\n", "354\n"}, {"x\n.\n", "452\n"}, {"RSET\n", "250\n"}}), 452);
  EXPECT_EQ(refused({{"DATA\n", "354\n"}, {"x\n.\n", "554\n"}, {"DATA\n", "354\n"}, {"x\n.\n", "250\n"}}),
            554);
  EXPECT_EQ(refused({{"RCPT x\n", "550\n"}, {"DATA\n", "354\n"}, {"x\n.\n", "250\n"}}), 0);
  EXPECT_EQ(refused({{"MAIL x\n", "550\n"}, {"VRFY x\n", "502\n"}}), 0);
}

TEST(SendmailTurns, AllIsSaidWhenTheReplyToItHasCome) {
  SendmailTurns turns;
  EXPECT_FALSE(turns.done());
  turns.hear("220 x\r\n");
  EXPECT_TRUE(turns.done());
  turns.feed("QUIT");
  EXPECT_FALSE(turns.done());
  EXPECT_EQ(turns.take(), "");
  turns.finish();
  EXPECT_EQ(turns.take(), "QUIT\r\n");
  EXPECT_FALSE(turns.done());
  turns.hear("221 bye\r\n");
  turns.feed("\r\n");
  EXPECT_EQ(turns.take(), "");
  EXPECT_TRUE(turns.done());
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
