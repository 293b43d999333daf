// The next message's commands behind the final dot: every reply of the group, and what becomes of both
// messages.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "send/client_fixture.hpp"
#include "support/transcript.hpp"

namespace relayd::send {
namespace {

using test::ClientRun;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// What the server says to the final dot of the first message, to MAIL, RCPT and DATA of the second.
using Group = std::vector<std::string>;
const Group all_well = {"250 Ok A", "250 Ok", "250 Ok", "354 Go"};

constexpr const char* begin = R"(
  S: 220 x
  C: EHLO relay.example.com
  S: 250-x
  S: 250 PIPELINING
  C: MAIL FROM:<ann@example.com>
  C: RCPT TO:<bob@example.org>
  C: DATA
  S: 250 Ok
  S: 250 Ok
  S: 354 Go
  C: first
  C: .
  C: MAIL FROM:<dan@example.com>
  C: RCPT TO:<eve@example.org>
  C: DATA
)";
constexpr const char* rest = "C: second\n C: .\n S: 250 Ok B\n C: QUIT\n S: 221 Bye\n";

std::string said(const Group& group) {
  std::string lines;
  for (const std::string& reply : group)
    lines += (reply == "CLOSE" || reply == "RESET" ? reply : "S: " + reply) + "\n";
  return lines;
}

std::unique_ptr<ClientRun> run(const std::string& script) {
  auto client = std::make_unique<ClientRun>(test::make_script(test::Side::server, script));
  client->ahead = true;
  client->add_mail(test::make_envelope("ann@example.com", {"bob@example.org"}), "first\r\n");
  client->add_mail(test::make_envelope("dan@example.com", {"eve@example.org"}), "second\r\n");
  client->run();
  return client;
}

Group with(std::size_t position, const std::string& reply) {
  Group group = all_well;
  group[position] = reply;
  return group;
}

constexpr const char* out_of_step = "bob@example.org: final_dot malformed";
constexpr const char* taken = "bob@example.org: final_dot 250 Ok A";

TEST(SmtpTransportAhead, TheNextEnvelopeLeavesWithTheDot) {
  const auto client = run(begin + said(all_well) + rest);
  EXPECT_EQ(client->peer.complaint(), "");
  EXPECT_TRUE(client->peer.finished());
  EXPECT_THAT(client->events, ElementsAre(taken, "eve@example.org: final_dot 250 Ok B"));
  EXPECT_THAT(client->peer.writes(),
              testing::Contains(
                  "first\r\n.\r\nMAIL FROM:<dan@example.com>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\n"));
}

TEST(SmtpTransportAhead, TheDotWaitsUntilItsMessageIsInDoubtOnDisk) {
  const auto client = run(begin + said(all_well) + rest);
  EXPECT_THAT(*client->sent.at(0).writes_at_mark, testing::Lt(client->sent.at(0).writes_at_end));
  EXPECT_THAT(client->peer.writes().at(*client->sent.at(0).writes_at_mark), HasSubstr("first"));
}

// --- a refusal at each position concerns its own message alone ---

TEST(SmtpTransportAhead, ARefusedContentLeavesTheNextMessageAlone) {
  for (const char* reply : {"451 Later", "554 Never", "552 Full"}) {
    const auto client = run(begin + said(with(0, reply)) + rest);
    EXPECT_THAT(client->events, ElementsAre(std::string("bob@example.org: final_dot ") + reply,
                                            "eve@example.org: final_dot 250 Ok B"));
  }
}

TEST(SmtpTransportAhead, ARefusedSenderIsTheNextMessages) {
  for (const char* reply : {"451 Later", "550 Never"}) {
    const auto client = run(begin + said({"250 Ok A", reply, "503 No", "503 No"}) + "C: QUIT\n S: 221 Bye");
    EXPECT_EQ(client->peer.complaint(), "");
    EXPECT_THAT(client->events, ElementsAre(taken, std::string("eve@example.org: mail ") + reply));
    EXPECT_FALSE(client->sent[0].report.out_of_step);
  }
}

TEST(SmtpTransportAhead, ARefusedRecipientIsTheNextMessages) {
  for (const char* reply : {"451 Later", "550 Never"}) {
    const auto client = run(begin + said({"250 Ok A", "250 Ok", reply, "503 No"}) + "C: QUIT\n S: 221 Bye");
    EXPECT_THAT(client->events, ElementsAre(taken, std::string("eve@example.org: rcpt ") + reply));
  }
}

TEST(SmtpTransportAhead, ContentThatNobodyTakesIsEmpty) {
  const auto client = run(begin + said({"250 Ok A", "250 Ok", "550 Never", "354 Go"}) +
                          "C: .\n S: 554 None\n C: QUIT\n S: 221 Bye");
  EXPECT_EQ(client->peer.complaint(), "");
  EXPECT_THAT(client->events, ElementsAre(taken, "eve@example.org: rcpt 550 Never"));
}

TEST(SmtpTransportAhead, RefusedDataIsTheNextMessages) {
  for (const char* reply : {"451 Later", "554 Never"}) {
    const auto client = run(begin + said(with(3, reply)) + "C: QUIT\n S: 221 Bye");
    EXPECT_THAT(client->events, ElementsAre(taken, std::string("eve@example.org: data ") + reply));
  }
}

// --- the end of the connection at each position: the next message was not tried ---

TEST(SmtpTransportAhead, NothingOfTheNextMessageIsTriedWhenTheConnectionEnds) {
  for (const char* end : {"CLOSE", "RESET", "421 Stopping"}) {
    for (std::size_t position = 1; position < all_well.size(); ++position) {
      SCOPED_TRACE(fmt::format("{} at {}", end, position));
      Group group(all_well.begin(), all_well.begin() + static_cast<std::ptrdiff_t>(position));
      group.emplace_back(end);
      const auto client = run(begin + said(group));
      EXPECT_THAT(client->events, ElementsAre(taken));
      EXPECT_FALSE(client->transport->usable());
      EXPECT_EQ(client->sent[0].report.out_of_step, !std::string_view(end).starts_with("421"));
      EXPECT_THAT(client->peer.written(), Not(HasSubstr("second")));
    }
  }
}

// The login may be gone (530): another connection has one.
TEST(SmtpTransportAhead, NothingOfTheNextMessageIsTriedWhereALoginIsWanted) {
  for (const Group& group : {Group{"250 Ok A", "530 5.7.0 Log in", "503 No", "503 No"},
                             Group{"250 Ok A", "250 Ok", "530 5.7.0 Log in", "503 No"}}) {
    const auto client = run(begin + said(group) + "C: QUIT\n S: 221 Bye\n");
    EXPECT_EQ(client->peer.complaint(), "");
    EXPECT_TRUE(client->peer.finished());
    ASSERT_EQ(client->sent.size(), 2u);
    EXPECT_THAT(client->sent[0].events, ElementsAre(taken));
    EXPECT_TRUE(client->sent[1].report.untried);
    EXPECT_FALSE(client->transport->usable());
  }
}

TEST(SmtpTransportAhead, ALoginThatIsWantedOfTheFirstMessageIsItsOutcome) {
  ClientRun client(test::make_script(test::Side::server, R"(
    S: 220 x
    C: EHLO relay.example.com
    S: 250-x
    S: 250 PIPELINING
    C: MAIL FROM:<ann@example.com>
    C: RCPT TO:<bob@example.org>
    C: DATA
    S: 530 5.7.0 Log in
    S: 503 No
    S: 503 No
    C: QUIT
    S: 221 Bye
  )"));
  client.add_mail(test::make_envelope("ann@example.com", {"bob@example.org"}), "first\r\n");
  client.run();
  EXPECT_EQ(client.peer.complaint(), "");
  EXPECT_THAT(client.events, ElementsAre("bob@example.org: mail 530 5.7.0 Log in"));
  EXPECT_FALSE(client.sent[0].report.untried);
  EXPECT_FALSE(client.transport->usable());
}

TEST(SmtpTransportAhead, AnUnansweredDotIsInDoubtAsEver) {
  for (const char* end : {"CLOSE", "RESET"}) {
    const auto client = run(begin + said({end}));
    EXPECT_THAT(client->events, ElementsAre("bob@example.org: final_dot broken"));
    EXPECT_TRUE(client->sent[0].report.out_of_step);
    EXPECT_FALSE(client->transport->usable());
  }
}

TEST(SmtpTransportAhead, AServerThatLeavesAtTheDotHasItsWordReported) {
  const auto client = run(begin + said({"421 Stopping", "CLOSE"}));
  EXPECT_THAT(client->events, ElementsAre("bob@example.org: final_dot 421 Stopping"));
  EXPECT_FALSE(client->transport->usable());
}

// --- replies that cannot be the answers to these commands ---

TEST(SmtpTransportAhead, RepliesOutOfStepLeaveNothingTakenForDelivered) {
  const std::vector<Group> groups = {
      with(0, "354 Go"),                                       // for a final dot
      with(1, "354 Go"),                                       // for MAIL
      with(2, "354 Go"),                                       // for RCPT
      with(3, "250 Ok"),                                       // for DATA
      {"250 Ok", "250 Ok", "354 Go"},                          // the dot had no reply
      {"250 Ok A", "250 Ok", "354 Go"},                        // or MAIL, or RCPT
      {"250 Ok A", "250 Ok A", "250 Ok", "250 Ok", "354 Go"},  // the dot had two
      {"554 Never", "250 Ok", "354 Go"},                       // MAIL had none, after a refusal
      {"250 Ok A", "550 Never", "250 Ok", "354 Go"},           // a recipient without a sender
      {"250 Ok A", "550 Never", "503 No", "354 Go"},           // content without a sender
      {"250 Ok A", "what?", "250 Ok", "354 Go"},               // no reply at all
  };
  for (const Group& group : groups) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(group, " | ")));
    const auto client = run(begin + said(group));
    EXPECT_THAT(client->events, ElementsAre(out_of_step));
    EXPECT_TRUE(client->sent[0].report.out_of_step);
    EXPECT_FALSE(client->transport->usable());
    EXPECT_THAT(client->peer.written(), Not(HasSubstr("second")));
  }
}

TEST(SmtpTransportAhead, AServerThatWantsNoCommandsYetRefusesNoMessage) {
  const std::vector<Group> groups = {
      {"250 Ok A", "503 5.5.1 Bad sequence", "503 No", "503 No"},
      {"250 Ok A", "554 SMTP synchronization error", "503 No", "503 No"},
      {"250 Ok A", "550 Improper use of pipelining", "503 No", "503 No"},
      {"250 Ok A", "250 Ok", "503 Use MAIL before RCPT", "503 MAIL required first"},  // Haraka before 2.8
      {"250 Ok A", "500 What?", "503 Use MAIL first", "503 No"},  // its buffer ended amid MAIL
      {"250 Ok A", "250 Ok", "250 Ok", "503 5.5.0 Improper use of SMTP command pipelining"},
  };
  for (const Group& group : groups) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(group, " | ")));
    const auto client = run(begin + said(group));
    EXPECT_THAT(client->events, ElementsAre(taken));
    EXPECT_TRUE(client->sent[0].report.out_of_step);
    EXPECT_FALSE(client->transport->usable());
  }
}

TEST(SmtpTransportAhead, AServerThatThrowsAwayWhatCameEarlyIsNotWaitedForLong) {
  const auto client = run(begin + said({"250 Ok A"}) + "PAUSE 61s");
  EXPECT_THAT(client->events, ElementsAre(taken));
  EXPECT_TRUE(client->sent[0].report.out_of_step);
  EXPECT_FALSE(client->transport->usable());
}

// What it takes there would be taken too late, with the next message sent again meanwhile.
TEST(SmtpTransportAhead, AServerThatAnswersWhatCameEarlyLateIsNotWaitedForEither) {
  for (std::size_t answered = 1; answered < all_well.size(); ++answered) {
    Group group(all_well.begin(), all_well.begin() + static_cast<std::ptrdiff_t>(answered));
    const auto client =
        run(begin + said(group) + "PAUSE 6s\n" + said({all_well.begin() + answered, all_well.end()}));
    EXPECT_THAT(client->events, ElementsAre(taken));
    EXPECT_TRUE(client->sent[0].report.out_of_step);
    EXPECT_THAT(client->peer.written(), Not(HasSubstr("second")));
  }
}

TEST(SmtpTransportAhead, RepliesThatCannotComeAreNotWaitedFor) {
  const SteadyTime begun = test::ManualLoop().now();
  const auto client = run(begin + said({"250 Ok A", "250 Ok", "354 Go"}) + "PAUSE 61s");
  EXPECT_THAT(client->events, ElementsAre(out_of_step));
  EXPECT_EQ(client->loop.now(), begun);
}

// --- when nothing may ride behind the dot ---

TEST(SmtpTransportAhead, OneTransactionAtATimeWhereThatIsSet) {
  const std::string lines = begin;
  const std::string group = lines.substr(0, lines.find("  C: MAIL FROM:<dan"));
  const std::string single = R"(
    S: 220 x
    C: EHLO relay.example.com
    S: 250-x
    S: 250 PIPELINING
    C: MAIL FROM:<ann@example.com>
    S: 250 Ok
    C: RCPT TO:<bob@example.org>
    S: 250 Ok
    C: DATA
    S: 354 Go
    C: first
    C: .
  )";
  for (const Pipelining setting : {Pipelining::transaction, Pipelining::off}) {
    ClientRun client(
        test::make_script(test::Side::server, (setting == Pipelining::off ? single : group) +
                                                  "S: 250 Ok A\n C: MAIL FROM:<dan@example.com>\n CLOSE"));
    client.ahead = true;
    client.target.pipelining = setting;
    client.add_mail(test::make_envelope("ann@example.com", {"bob@example.org"}), "first\r\n");
    client.add_mail(test::make_envelope("dan@example.com", {"eve@example.org"}), "second\r\n");
    client.run();
    EXPECT_EQ(client.peer.complaint(), "");
    EXPECT_EQ(client.events.at(0), taken);
  }
}

TEST(SmtpTransportAhead, AMessageThatTheServerCannotTakeIsNotAnnounced) {
  const std::string lines = begin;
  const std::size_t next = lines.find("  C: MAIL FROM:<dan");
  ClientRun client(
      test::make_script(test::Side::server, lines.substr(0, next) + "S: 250 Ok A\n C: QUIT\n S: 221 Bye"));
  client.ahead = true;
  client.add_mail(test::make_envelope("ann@example.com", {"bob@example.org"}), "first\r\n");
  mail::Envelope envelope = test::make_envelope("dan@example.com", {"eve@example.org"});
  envelope.smtp_utf8 = true;
  client.add_mail(std::move(envelope), "second\r\n");
  client.run();
  EXPECT_EQ(client.peer.complaint(), "");
  EXPECT_THAT(client.events, ElementsAre(taken, "eve@example.org: mail no_extension"));
}

}  // namespace
}  // namespace relayd::send
