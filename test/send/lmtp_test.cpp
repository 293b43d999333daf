// LMTP: a reply to the final dot for each recipient (RFC 2033 4.2), and what becomes of those who have none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "send/client_fixture.hpp"

namespace relayd::send {
namespace {

using test::ClientRun;
using test::make_envelope;
using test::make_script;
using test::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr const char* opening = R"(
  S: 220 mail.example.net LMTP
  C: LHLO relay.example.com
  S: 250-mail.example.net
  S: 250-PIPELINING
  S: 250 ENHANCEDSTATUSCODES
)";
constexpr const char* envelope = R"(
  C: MAIL FROM:<ann@example.com>
  C: RCPT TO:<a@example.org>
  C: RCPT TO:<b@example.org>
  C: RCPT TO:<c@example.org>
  C: DATA
)";
constexpr const char* taken = R"(
  S: 250 2.1.0 Ok
  S: 250 2.1.5 Ok
  S: 250 2.1.5 Ok
  S: 250 2.1.5 Ok
  S: 354 Go on
  C: text
  C: .
)";
constexpr const char* end = R"(
  C: QUIT
  S: 221 2.0.0 Bye
)";

// A message for a, b and c, and what the server says to it.
class LmtpTest : public testing::Test {
 protected:
  void talk(const std::string& answers) {
    run.emplace(make_script(Side::server, std::string(opening) + envelope + answers));
    run->target.lmtp = true;
    run->add_mail(make_envelope("ann@example.com", {"a@example.org", "b@example.org", "c@example.org"}),
                  "text\r\n");
    run->run();
    EXPECT_EQ(run->peer.complaint(), "");
    EXPECT_TRUE(run->peer.finished()) << run->peer.position();
  }
  const std::vector<std::string>& events() const { return run->sent.at(0).events; }

  std::optional<ClientRun> run;
};

TEST_F(LmtpTest, GivesEachRecipientItsOwnReply) {
  talk(std::string(taken) + "S: 250 2.0.0 Saved\n S: 550 5.1.1 No such user\n S: 452 4.2.2 Full\n" + end);
  EXPECT_THAT(events(), UnorderedElementsAre("a@example.org: final_dot 250 2.0.0 Saved",
                                             "b@example.org: final_dot 550 5.1.1 No such user",
                                             "c@example.org: final_dot 452 4.2.2 Full"));
  EXPECT_FALSE(run->sent.at(0).report.out_of_step);
}

TEST_F(LmtpTest, CountsAReplyOfSeveralLinesOnce) {
  talk(std::string(taken) + "S: 250-2.0.0 a\n S: 250 2.0.0 b\n S: 250 2.0.0 c\n S: 250 2.0.0 d\n" + end);
  EXPECT_THAT(events(), UnorderedElementsAre(HasSubstr("a@example.org: final_dot 250"),
                                             "b@example.org: final_dot 250 2.0.0 c",
                                             "c@example.org: final_dot 250 2.0.0 d"));
}

TEST_F(LmtpTest, KeepsWhatWasSaidBeforeTheConnectionEnded) {
  talk(std::string(taken) + "S: 250 2.0.0 Saved\n CLOSE\n");
  EXPECT_THAT(events(), UnorderedElementsAre("a@example.org: final_dot 250 2.0.0 Saved",
                                             HasSubstr("b@example.org: final_dot broken"),
                                             HasSubstr("c@example.org: final_dot broken")));
}

TEST_F(LmtpTest, TakesA421ForAllThatHaveNoReplyYet) {
  talk(std::string(taken) + "S: 250 2.0.0 Saved\n S: 421 4.3.2 Going down\n C: QUIT\n");
  EXPECT_THAT(events(), UnorderedElementsAre("a@example.org: final_dot 250 2.0.0 Saved",
                                             "b@example.org: final_dot 421 4.3.2 Going down",
                                             "c@example.org: final_dot 421 4.3.2 Going down"));
}

TEST_F(LmtpTest, HasNoDoubtWhereDataWasRefused) {
  talk(R"(
    S: 250 2.1.0 Ok
    S: 250 2.1.5 Ok
    S: 250 2.1.5 Ok
    S: 250 2.1.5 Ok
    S: 451 4.3.0 Not now
    C: QUIT
    S: 221 2.0.0 Bye
  )");
  EXPECT_THAT(events(), UnorderedElementsAre("a@example.org: data 451 4.3.0 Not now",
                                             "b@example.org: data 451 4.3.0 Not now",
                                             "c@example.org: data 451 4.3.0 Not now"));
}

TEST_F(LmtpTest, ExpectsNoReplyForARecipientThatWasRefused) {
  talk(R"(
    S: 250 2.1.0 Ok
    S: 250 2.1.5 Ok
    S: 550 5.1.1 No such user
    S: 250 2.1.5 Ok
    S: 354 Go on
    C: text
    C: .
    S: 250 2.0.0 One
    S: 250 2.0.0 Two
    C: QUIT
    S: 221 2.0.0 Bye
  )");
  EXPECT_THAT(events(), UnorderedElementsAre("b@example.org: rcpt 550 5.1.1 No such user",
                                             "a@example.org: final_dot 250 2.0.0 One",
                                             "c@example.org: final_dot 250 2.0.0 Two"));
}

TEST_F(LmtpTest, LeavesAServerThatSaysMoreThanItWasAsked) {
  talk(std::string(taken) + "S: 250 2.0.0 a\\r\\n250 2.0.0 b\\r\\n250 2.0.0 c\\r\\n250 2.0.0 d\n" +
       "C: QUIT\n");
  EXPECT_THAT(events(), UnorderedElementsAre("a@example.org: final_dot 250 2.0.0 a",
                                             "b@example.org: final_dot 250 2.0.0 b",
                                             "c@example.org: final_dot 250 2.0.0 c"));
  EXPECT_TRUE(run->sent.at(0).report.out_of_step);
}

// One reply too many early on makes each later one the next recipient's: then it is nobody's.
TEST_F(LmtpTest, BelievesNoReplyOnceTheyDoNotFit) {
  talk(R"(
    S: 250 2.1.0 Ok
    S: 250 2.1.0 Ok
    S: 550 5.1.1 No such user
    S: 250 2.1.5 Ok
    S: 250 2.1.5 Ok
  )");
  EXPECT_THAT(events(), testing::Each(HasSubstr(": data malformed")));
  EXPECT_EQ(events().size(), 3U);
  EXPECT_TRUE(run->sent.at(0).report.out_of_step);
}

TEST_F(LmtpTest, NeverFallsBackToHelo) {
  ClientRun refused(make_script(Side::server, R"(
    S: 220 mail.example.net SMTP
    C: LHLO relay.example.com
    S: 500 5.5.1 Unknown command
    C: QUIT
    S: 221 2.0.0 Bye
  )"));
  refused.target.lmtp = true;
  refused.run();
  EXPECT_EQ(refused.peer.complaint(), "");
  EXPECT_THAT(refused.events, ElementsAre("open: ehlo 500 5.5.1 Unknown command"));
}

// The replies to a second message behind the dot could not be told from those of the first one's recipients.
TEST_F(LmtpTest, SendsNothingBehindTheFinalDot) {
  ClientRun two(make_script(Side::server, std::string(opening) + R"(
    C: MAIL FROM:<ann@example.com>
    C: RCPT TO:<a@example.org>
    C: DATA
    S: 250 2.1.0 Ok
    S: 250 2.1.5 Ok
    S: 354 Go on
    C: text
    C: .
    S: 250 2.0.0 Saved
    C: MAIL FROM:<ann@example.com>
    C: RCPT TO:<b@example.org>
    C: DATA
    S: 250 2.1.0 Ok
    S: 250 2.1.5 Ok
    S: 354 Go on
    C: text
    C: .
    S: 250 2.0.0 Saved
    C: QUIT
    S: 221 2.0.0 Bye
  )"));
  two.target.lmtp = true;
  two.ahead = true;
  two.add_mail(make_envelope("ann@example.com", {"a@example.org"}), "text\r\n");
  two.add_mail(make_envelope("ann@example.com", {"b@example.org"}), "text\r\n");
  two.run();
  EXPECT_EQ(two.peer.complaint(), "");
  EXPECT_THAT(two.events, ElementsAre("a@example.org: final_dot 250 2.0.0 Saved",
                                      "b@example.org: final_dot 250 2.0.0 Saved"));
  EXPECT_FALSE(two.sent.at(0).report.was_followed);
}

}  // namespace
}  // namespace relayd::send
