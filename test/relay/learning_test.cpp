// What an upstream's replies teach about its limits: met once, kept to for a time, tried again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/sending_fixture.hpp"
#include "relay/status.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class LearningTest : public test::SendingFixture {
 protected:
  // "key value seconds" of each lane.
  std::vector<std::string> learnt() {
    std::vector<std::string> all;
    const watch::Status status =
        run_task(status_of(*queue, dispatcher->lanes(), dispatcher->lines(), loop.now(), loop), &loop);
    for (const watch::LaneStatus& lane : status.lanes)
      for (const auto& [key, value, until] : lane.learnt.limits)
        all.push_back(fmt::format("{} {} {}", key, value, (until - status.now) / 1s));
    return all;
  }
  // Refuses so at the command, from this one on in each session or transaction.
  void answer_from(int count, const std::string& command, const std::string& begins_with,
                   const std::string& reply) {
    server.answer = [=, this, seen = 0](std::string_view said, const std::string&) mutable {
      if (said.starts_with(begins_with)) seen = 0;
      if (!said.starts_with(command) || ++seen < count) return std::string();
      ++refusals;
      return reply;
    };
  }
  void hand_in_to(int recipients) {
    std::vector<std::string> to;
    for (int i = 0; i < recipients; ++i) to.push_back(fmt::format("r{}@example.org", i));
    commit("text\r\n", to);
  }

  int refusals = 0;
};

TEST_F(LearningTest, MessagesOfAConnectionAreLearntAtOnce) {
  add_office().limits.connections = 1;
  answer_from(26, "MAIL", "EHLO", "421 4.7.0 Too many messages in this session, 25 messages per connection");
  start_office();
  hand_in("a@example.org", 200);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 200U);  // and nobody has waited
  EXPECT_EQ(server.dials, 8U);
  EXPECT_EQ(refusals, 1);
  EXPECT_THAT(learnt(), ElementsAre("messages_per_connection 25 86400"));
  pass(24h);
  EXPECT_THAT(learnt(), IsEmpty());
}

TEST_F(LearningTest, RecipientsOfAMessageAreLearntAtOnce) {
  add_office().limits.connections = 1;
  answer_from(11, "RCPT", "MAIL", "452 4.5.3 Too many recipients");
  start_office();
  for (int i = 0; i < 5; ++i) hand_in_to(30);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 15U);
  EXPECT_LE(refusals, 40);  // of the first, and of what rode behind it
  EXPECT_THAT(learnt(), ElementsAre("recipients_per_message 10 3600"));
}

TEST_F(LearningTest, AWholeMessageForTooManyIsSplitUntilItGoes) {
  add_office().limits.connections = 1;
  std::size_t recipients = 0;
  server.answer = [&](std::string_view said, const std::string&) -> std::string {
    if (said.starts_with("MAIL")) recipients = 0;
    if (said.starts_with("RCPT")) ++recipients;
    return said == "." && recipients > 10 ? "550 5.5.3 Too many recipients" : "";
  };
  start_office();
  hand_in_to(64);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 8U);
  EXPECT_EQ(left(), 0U);
  EXPECT_THAT(learnt(), ElementsAre("recipients_per_message 8 3600"));
}

TEST_F(LearningTest, ARefusalThatHoldsForOneTooTeachesNoCap) {
  add_office().limits.connections = 1;
  server.answer = [](std::string_view said, const std::string&) -> std::string {
    return said == "." ? "550 5.7.1 Rejected: too many recipients in the header" : "";
  };
  start_office();
  hand_in_to(64);
  run_until_quiet();
  EXPECT_EQ(queue->totals().failed, 1U);
  EXPECT_THAT(learnt(), IsEmpty());
}

TEST_F(LearningTest, ConnectionsOfAnAccountAreThoseThatTheReplyNames) {
  add_office().limits.connections = 5;
  std::size_t refused = 0;
  server.answer = [&](std::string_view said, const std::string&) -> std::string {
    if (!said.starts_with("MAIL") || server.connections <= 2) return "";
    ++refused;
    return "421 4.7.0 Too many connections, max 2 connections";
  };
  start_office();
  hand_in("a@example.org", 100);
  for (int minute = 0; minute < 30; ++minute) {
    pass(1min);
    hand_in("a@example.org", 20);
  }
  pass(1min);
  EXPECT_EQ(left(), 0U);
  EXPECT_LE(refused, 6U);
  ASSERT_EQ(learnt().size(), 1U);
  EXPECT_TRUE(learnt()[0].starts_with("connections 2 "));
}

// Before the login a server knows but our address.
TEST_F(LearningTest, ConnectionsOfOurAddressAreThoseOfAllAccounts) {
  add_office();
  add_accounts(6);
  server.answer = [&](std::string_view said, const std::string&) -> std::string {
    return said.empty() && server.connections > 3 ? "421 4.7.0 Too many connections from you (max 3)" : "";
  };
  start(server);
  for (int i = 0; i < 6; ++i) hand_in(fmt::format("s{}@example.org", i), 20);
  pass(10min);
  EXPECT_EQ(left(), 0U);
  EXPECT_THAT(learnt(), testing::Each(testing::StartsWith("connections_total 3 ")));
}

TEST_F(LearningTest, ARateThatIsNamedIsKept) {
  add_office();
  int within = 0, refused = 0;
  SteadyTime minute = loop.now();
  server.answer = [&](std::string_view said, const std::string&) -> std::string {
    if (said != ".") return "";
    if (loop.now() - minute >= 1min) within = 0, minute = loop.now();
    if (++within <= 10) return "";
    ++refused;
    return "455 Maximum messages sent per minute reached, rate limit is 10 messages";
  };
  start_office();
  hand_in("a@example.org", 60);
  pass(10min);
  EXPECT_EQ(left(), 0U);
  EXPECT_LE(refused, 25);  // what was under way when it was named
  EXPECT_THAT(learnt(), ElementsAre(testing::StartsWith("rate 10 messages/m ")));
}

TEST_F(LearningTest, ANumberThatIsBeliedIsNotBelieved) {
  add_office().limits.connections = 1;
  answer_from(21, "MAIL", "EHLO", "421 Too many messages in this session, 2 messages per connection");
  start_office();
  hand_in("a@example.org", 60);
  run_until_quiet();
  EXPECT_EQ(server.taken.size(), 60U);
  EXPECT_THAT(learnt(), ElementsAre("messages_per_connection 20 3600"));
}

}  // namespace
}  // namespace relayd
