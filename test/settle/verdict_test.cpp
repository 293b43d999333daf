#include "settle/verdict.hpp"

#include <gtest/gtest.h>

namespace relayd::settle {
namespace {

const std::vector<Stage> stages = {Stage::connect, Stage::greeting, Stage::ehlo, Stage::starttls, Stage::auth,
                                   Stage::mail,    Stage::rcpt,     Stage::data, Stage::final_dot};

// As the parser reads it.
smtp::Reply reply(const std::string& line) {
  smtp::ReplyParser parser;
  parser.feed(line + "\r\n");
  EXPECT_EQ(parser.state(), smtp::ReplyParser::State::complete) << line;
  return parser.take();
}

Verdict verdict(Stage stage, const std::string& line, std::string_view provider = {}) {
  return judge(stage, reply(line), provider);
}

void expect(Stage stage, const std::string& line, Action action, ReplyClass reply_class, Scope scope,
            std::string_view provider = {}) {
  const Verdict found = verdict(stage, line, provider);
  EXPECT_EQ(found.action, action) << to_string(stage) << ": " << line;
  EXPECT_EQ(to_string(found.reply_class), to_string(reply_class)) << to_string(stage) << ": " << line;
  EXPECT_EQ(found.scope, scope) << to_string(stage) << ": " << line;
  EXPECT_FALSE(found.in_doubt);
}

TEST(Verdict, DeliveredAtTheDotOnly) {
  expect(Stage::final_dot, "250 2.0.0 Ok", Action::delivered, ReplyClass::none, Scope::message);
  expect(Stage::data, "250 Ok", Action::retry, ReplyClass::temp, Scope::connection);
  expect(Stage::rcpt, "354 go on", Action::retry, ReplyClass::temp, Scope::connection);
  expect(Stage::final_dot, "354 go on", Action::retry, ReplyClass::temp, Scope::connection);
}

TEST(Verdict, EachRecipientForItself) {
  expect(Stage::rcpt, "450 4.2.0 Greylisted", Action::retry, ReplyClass::temp, Scope::recipient);
  expect(Stage::rcpt, "550 5.1.1 No such user", Action::failed, ReplyClass::rcpt, Scope::recipient);
  expect(Stage::rcpt, "552 5.2.2 Mailbox full", Action::failed, ReplyClass::rcpt, Scope::recipient);
  expect(Stage::rcpt, "554 5.7.1 Relay access denied", Action::failed, ReplyClass::rcpt, Scope::recipient);
  expect(Stage::rcpt, "550 5.3.4 too big for this mailbox", Action::failed, ReplyClass::rcpt,
         Scope::recipient);
}

TEST(Verdict, TooManyRecipientsWaitForTheNextTransaction) {
  for (const char* line :
       {"452 Too many recipients", "452 4.5.3 Too many", "552 too many", "552 5.5.3 too many"}) {
    expect(Stage::rcpt, line, Action::retry, ReplyClass::temp, Scope::recipient);
    EXPECT_TRUE(too_many_recipients(reply(line))) << line;
  }
  for (const char* line :
       {"452 4.3.1 Disk full", "550 5.5.3 Too many", "552 5.2.2 Full", "450 4.5.3 Too many"})
    EXPECT_FALSE(too_many_recipients(reply(line))) << line;
}

TEST(Verdict, ContentFailsForAll) {
  for (const Stage stage : {Stage::data, Stage::final_dot}) {
    expect(stage, "554 5.7.1 Spam", Action::failed, ReplyClass::content, Scope::message);
    expect(stage, "451 4.3.0 Later", Action::retry, ReplyClass::temp, Scope::message);
  }
  expect(Stage::final_dot, "552 5.2.2 Over quota", Action::failed, ReplyClass::content, Scope::message);
}

TEST(Verdict, Size) {
  expect(Stage::mail, "552 5.3.4 Too big", Action::failed, ReplyClass::size, Scope::message);
  expect(Stage::mail, "552 Too big", Action::failed, ReplyClass::size, Scope::message);
  expect(Stage::final_dot, "552 Too big", Action::failed, ReplyClass::size, Scope::message);
  expect(Stage::final_dot, "554 5.3.4 Too big", Action::failed, ReplyClass::size, Scope::message);
}

TEST(Verdict, SenderFails) {
  expect(Stage::mail, "553 5.7.1 Not owned", Action::failed, ReplyClass::sender, Scope::sender);
  expect(Stage::mail, "501 5.1.7 Bad address", Action::failed, ReplyClass::sender, Scope::sender);
  expect(Stage::mail, "451 4.3.0 Later", Action::retry, ReplyClass::temp, Scope::message);
}

TEST(Verdict, AuthFailureIsRetriedNotBounced) {
  for (const char* code : {"530 5.7.0", "534 5.7.9", "535 5.7.8", "538 5.7.11"}) {
    for (const Stage stage : stages)
      expect(stage, std::string(code) + " no", Action::retry, ReplyClass::auth, Scope::lane);
  }
  for (const char* line :
       {"432 4.7.12 change it", "454 4.7.0 later", "500 what", "504 5.5.4 no mechanism", "550 no"})
    expect(Stage::auth, line, Action::retry, ReplyClass::auth, Scope::lane);
  expect(Stage::mail, "550 5.7.1 Authentication required", Action::retry, ReplyClass::auth, Scope::lane);
  expect(Stage::final_dot, "550 5.7.26 Sender authentication required (SPF)", Action::failed,
         ReplyClass::content, Scope::message);
  expect(Stage::mail, "553 Client was not authenticated", Action::retry, ReplyClass::auth, Scope::lane);
}

TEST(Verdict, NothingBouncesBeforeMail) {
  for (int code = 200; code < 600; ++code) {
    for (const Stage stage : {Stage::connect, Stage::greeting, Stage::ehlo, Stage::starttls, Stage::auth}) {
      const Verdict found = judge(stage, smtp::Reply{code, {}, "x"});
      EXPECT_EQ(found.action, Action::retry) << to_string(stage) << ' ' << code;
    }
  }
  for (const char* line : {"554 No service", "521 No mail", "556 no", "421 busy", "450 x"}) {
    expect(Stage::greeting, line, Action::retry, ReplyClass::connect, Scope::upstream);
    expect(Stage::ehlo, line, Action::retry, ReplyClass::connect, Scope::upstream);
  }
  for (const char* line : {"454 TLS not available", "502 no", "501 no", "250 ok"})
    expect(Stage::starttls, line, Action::retry, ReplyClass::tls, Scope::upstream);
}

TEST(Verdict, TemporaryRepliesNeverFail) {
  for (int code = 400; code < 500; ++code) {
    for (const Stage stage : stages)
      for (const smtp::EnhancedCode enhanced : {smtp::EnhancedCode{}, smtp::EnhancedCode{4, 3, 4}})
        EXPECT_EQ(judge(stage, smtp::Reply{code, enhanced, "x"}).action, Action::retry)
            << to_string(stage) << ' ' << code;
  }
}

TEST(Verdict, ClosingServerConcernsTheConnection) {
  for (const Stage stage : {Stage::mail, Stage::rcpt, Stage::data, Stage::final_dot})
    expect(stage, "421 4.3.2 Shutting down", Action::retry, ReplyClass::temp, Scope::connection);
}

TEST(Verdict, LimitsSlowTheLane) {
  expect(Stage::greeting, "421 4.7.0 Error: Too many connections", Action::retry, ReplyClass::conn,
         Scope::lane);
  expect(Stage::mail, "432 4.3.2 Concurrent connections limit exceeded", Action::retry, ReplyClass::conn,
         Scope::lane);
  expect(Stage::final_dot, "454 Throttling failure: Maximum sending rate exceeded.", Action::retry,
         ReplyClass::rate, Scope::lane);
  expect(Stage::final_dot, "454 Throttling failure: Daily message quota exceeded.", Action::retry,
         ReplyClass::quota, Scope::lane);
  expect(Stage::rcpt, "450 4.2.1 rate limit exceeded", Action::retry, ReplyClass::rate, Scope::lane);
  expect(Stage::final_dot, "550 5.4.5 Daily user sending limit exceeded", Action::retry, ReplyClass::quota,
         Scope::lane);
}

TEST(Verdict, RecipientsNameCannotStopALane) {
  expect(Stage::rcpt, "550 5.1.1 <\"daily limit\"@example.com> unknown", Action::failed, ReplyClass::rcpt,
         Scope::recipient);
  expect(Stage::rcpt, "550 5.1.1 <\"not authenticated\"@example.com> unknown", Action::failed,
         ReplyClass::rcpt, Scope::recipient);
}

TEST(Verdict, ProvidersSpeakTheirOwnWay) {
  const std::string mailgun = "421 Domain example.com is not allowed to send: recipient limit exceeded";
  expect(Stage::final_dot, mailgun, Action::retry, ReplyClass::auth, Scope::lane, "mailgun");
  expect(Stage::final_dot, mailgun, Action::retry, ReplyClass::temp, Scope::connection);
  expect(Stage::auth, "451 Authentication failed: Maximum credits exceeded", Action::retry, ReplyClass::quota,
         Scope::lane, "sendgrid");
  expect(Stage::final_dot, "550 The from address does not match a verified Sender Identity.", Action::failed,
         ReplyClass::sender, Scope::sender, "sendgrid");
  expect(Stage::mail, "550 Unauthenticated senders not allowed", Action::retry, ReplyClass::auth, Scope::lane,
         "sendgrid");
}

TEST(Verdict, TroubleBeforeTheMessageIsTheUpstreams) {
  EXPECT_EQ(judge(Stage::connect, Trouble::unreachable),
            (Verdict{Action::retry, ReplyClass::connect, Scope::upstream}));
  EXPECT_EQ(judge(Stage::ehlo, Trouble::broken),
            (Verdict{Action::retry, ReplyClass::connect, Scope::upstream}));
  EXPECT_EQ(judge(Stage::greeting, Trouble::malformed),
            (Verdict{Action::retry, ReplyClass::connect, Scope::upstream}));
  EXPECT_EQ(judge(Stage::connect, Trouble::tls), (Verdict{Action::retry, ReplyClass::tls, Scope::upstream}));
  EXPECT_EQ(judge(Stage::ehlo, Trouble::no_starttls),
            (Verdict{Action::retry, ReplyClass::tls, Scope::upstream}));
  EXPECT_EQ(judge(Stage::auth, Trouble::no_mechanism),
            (Verdict{Action::retry, ReplyClass::auth, Scope::lane}));
}

TEST(Verdict, LostBeforeTheDotIsFree) {
  for (const Stage stage : {Stage::mail, Stage::rcpt, Stage::data})
    EXPECT_EQ(judge(stage, Trouble::broken),
              (Verdict{Action::retry, ReplyClass::temp, Scope::connection, false}));
}

TEST(Verdict, LostAfterTheDotIsInDoubt) {
  for (const Trouble trouble : {Trouble::broken, Trouble::cancelled, Trouble::malformed}) {
    const Verdict found = judge(Stage::final_dot, trouble);
    EXPECT_EQ(found, (Verdict{Action::retry, ReplyClass::temp, Scope::connection, true}));
    EXPECT_FALSE(moves_on(found, {"temp"}));
  }
}

TEST(Verdict, WhatTheUpstreamCannotTake) {
  EXPECT_EQ(judge(Stage::mail, Trouble::too_large),
            (Verdict{Action::failed, ReplyClass::size, Scope::message}));
  EXPECT_EQ(judge(Stage::mail, Trouble::no_extension),
            (Verdict{Action::failed, ReplyClass::sender, Scope::message}));
}

TEST(MovesOn, ByClass) {
  const std::vector<std::string> classes = {"connect", "tls", "auth", "quota", "rate", "sender"};
  EXPECT_TRUE(moves_on(verdict(Stage::auth, "535 5.7.8 no"), classes));
  EXPECT_TRUE(moves_on(verdict(Stage::mail, "553 5.7.1 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::mail, "451 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::mail, "552 5.3.4 no"), classes));
  EXPECT_TRUE(moves_on(verdict(Stage::mail, "552 5.3.4 no"), {"size"}));
  EXPECT_FALSE(moves_on(verdict(Stage::auth, "535 5.7.8 no"), {}));
}

TEST(MovesOn, WhatWasRefusedNeverDoes) {
  const std::vector<std::string> classes = {"none", "rcpt", "content"};
  EXPECT_FALSE(moves_on(verdict(Stage::rcpt, "550 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::final_dot, "550 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::final_dot, "250 ok"), classes));
}

}  // namespace
}  // namespace relayd::settle
