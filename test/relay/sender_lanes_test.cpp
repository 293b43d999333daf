// Lanes of accounts with access tokens: one for each user, and what becomes of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"
#include "send/client_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class SenderLanesTest : public test::DispatcherFixture {
 protected:
  void start_for(const std::string& user) {
    config::Upstream& office = add_upstream("office", {1});
    office.host = "127.0.0.1";
    office.oauth2 = config::OAuth2{};
    office.oauth2->token_command = {"/usr/local/bin/get-token"};
    office.oauth2->user_is_sender = user == "sender";
    office.oauth2->user = user == "sender" ? "" : user;
    add_rule("*", {"office"});
    tokens.texts = {"T0KEN"};
    start();
    dispatcher->use([this](const route::Choice&) -> send::Tokens& { return tokens; });
  }
  void commit_from(const std::string& sender) {
    queue::Envelope envelope;
    envelope.sender = envelope.routing_sender = sender;
    envelope.recipients.push_back({"b@example.org", "", ""});
    run_task(commit_task("text\r\n", envelope), &loop);
  }
  static std::string logged_in() {
    return "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 AUTH XOAUTH2\n"
           "C: AUTH XOAUTH2\n S: 334\n C: ...\n S: 235 Welcome\n";
  }
  static std::string taken_from(const std::string& sender) {
    return "C: MAIL FROM:<" + sender + ">\n S: 250 Ok\n C: RCPT TO:<b@example.org>\n S: 250 Ok\n C: DATA\n" +
           content();
  }
  std::vector<std::string> users() const {
    std::vector<std::string> found;
    dispatcher->lanes().for_each([&](const LaneEntry& lane) { found.push_back(lane.username); });
    return found;
  }

  test::ScriptedTokens tokens;
};

TEST_F(SenderLanesTest, EachSenderLogsInAsItselfOnALaneOfItsOwn) {
  start_for("sender");
  expect(1, logged_in() + taken_from("a@example.org"));
  expect(1, logged_in() + taken_from("c@example.org"));
  commit_from("a@example.org");
  run_until_attempts(1);
  commit_from("c@example.org");
  run_until_attempts(2);
  EXPECT_THAT(users(), UnorderedElementsAre("a@example.org", "c@example.org"));
  EXPECT_THAT(tokens.asked, ElementsAre("a@example.org", "c@example.org"));
  EXPECT_EQ(complaints(), "");
}

TEST_F(SenderLanesTest, ALaneOfASenderGoesWhenItIsIdleAndComesBack) {
  start_for("sender");
  expect(1, logged_in() + taken_from("a@example.org"));
  commit_from("a@example.org");
  run_until_attempts(1);
  advance(9min);
  EXPECT_THAT(users(), ElementsAre("a@example.org"));
  advance(12min);
  EXPECT_THAT(users(), IsEmpty());
  expect(1, logged_in() + taken_from("a@example.org"));
  commit_from("a@example.org");
  run_until_attempts(2);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok", "office b@example.org 250 Ok"));
}

TEST_F(SenderLanesTest, OneThatMailWaitsForStays) {
  start_for("sender");
  tokens.why = send::NoToken{"down", true, 3600s};
  expect(1, "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 AUTH XOAUTH2\n");
  commit_from("a@example.org");
  run_until_attempts(1);
  advance(50min);
  EXPECT_THAT(users(), ElementsAre("a@example.org"));
}

TEST_F(SenderLanesTest, ALaneOfOneUserStays) {
  start_for("ann@example.org");
  expect(1, logged_in() + taken_from("a@example.org"));
  commit_from("a@example.org");
  run_until_attempts(1);
  advance(1h);
  EXPECT_THAT(users(), ElementsAre("ann@example.org"));
}

TEST_F(SenderLanesTest, ATokenServerThatCannotBeReachedPausesTheLaneAsLongAsItAsks) {
  start_for("ann@example.org");
  tokens.why = send::NoToken{"down", true, 70s};
  expect(1, "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 AUTH XOAUTH2\n");
  commit_from("a@example.org");
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org down"));
  dispatcher->lanes().for_each([this](const LaneEntry& lane) {
    EXPECT_EQ(lane.pause_reason.reply_class, smtp::ReplyClass::connect);
    EXPECT_EQ(lane.paused_until() - loop.now(), 70s);
    EXPECT_FALSE(lane.site.in_trouble());
  });
}

}  // namespace
}  // namespace relayd
