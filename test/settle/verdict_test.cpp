#include "settle/verdict.hpp"

#include <gtest/gtest.h>

namespace relayd::settle {
namespace {

using namespace std::chrono_literals;

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

// Whatever a stranger has himself called, and however the server quotes it.
TEST(Verdict, AnAddressThatIsQuotedMeansNothing) {
  for (const char* address :
       {"<throttle@nx>", "throttle@nx", "<\"too fast\"@nx>", "\"too many connections\"@nx", "<too fast@nx>",
        "<\"a> too fast <b\"@nx>", "\"a\\\" too fast \\\"b\"@nx", "<x@too-fast.throttle.example>",
        "throttle.example", "\"rate limit\"", "<\"try again in 3600 seconds\"@nx>", "HL:ICC@nx"}) {
    const std::string text = std::string(" 4.1.2 ") + address + ": Domain not found";
    expect(Stage::rcpt, "450" + text, Action::retry, ReplyClass::temp, Scope::recipient);
    EXPECT_EQ(verdict(Stage::rcpt, "450" + text).wait, 0s) << text;
    expect(Stage::rcpt, "421" + text, Action::retry, ReplyClass::temp, Scope::connection, "163");
  }
  for (const char* address : {"<throttle@nx>", "throttle@nx", "<\"too fast\"@nx>", "\"too fast\"@nx"})
    expect(Stage::final_dot, std::string("451 4.1.2 ") + address + ": no", Action::retry, ReplyClass::temp,
           Scope::message);
  // What the server says beside it is heard.
  expect(Stage::rcpt, "450 4.7.1 <b@example.org>: Recipient address rejected: Rate limit exceeded",
         Action::retry, ReplyClass::rate, Scope::lane);
  expect(Stage::rcpt, "550-5.7.1 Daily SMTP relay\r\n550 5.7.1 limit exceeded for customer.", Action::retry,
         ReplyClass::quota, Scope::lane, "gmail");
}

TEST(Verdict, TheWaitThatAReplyTellsIsKept) {
  EXPECT_EQ(verdict(Stage::final_dot, "451 4.7.1 Try again in 92 seconds").wait, 92s);
  EXPECT_EQ(verdict(Stage::rcpt, "450 4.2.0 Greylisted, retry after 5 minutes").wait, 5min);
  EXPECT_EQ(verdict(Stage::final_dot, "550 Too many messages. Try again in 92 seconds.").wait, 92s);
  EXPECT_EQ(verdict(Stage::auth, "535 Wrong; wait 10 seconds").wait, 10s);
  EXPECT_EQ(verdict(Stage::greeting, "421 Too many auth failures, wait 10 seconds").wait, 30min);
  EXPECT_EQ(verdict(Stage::greeting, "421 Too many auth failures, wait 1 hour").wait, 1h);
  EXPECT_EQ(verdict(Stage::final_dot, "451 Later").wait, 0s);
  EXPECT_EQ(verdict(Stage::final_dot, "250 Ok, wait 10 seconds").wait, 0s);
  EXPECT_EQ(verdict(Stage::final_dot, "354 Go on, wait 10 seconds").wait, 0s);
  // Refused is refused.
  expect(Stage::rcpt, "550 No such user, try again in 92 seconds", Action::failed, ReplyClass::rcpt,
         Scope::recipient);
  EXPECT_EQ(verdict(Stage::rcpt, "550 No such user, try again in 92 seconds").wait, 0s);
  EXPECT_EQ(verdict(Stage::rcpt, "550 5.7.705 Access denied, try again in 92 seconds", "office365").wait, 0s);
  EXPECT_EQ(verdict(Stage::final_dot, "450 The given data was invalid, wait 5 seconds", "mailersend").wait,
            0s);
}

TEST(Verdict, ASessionOutOfStepIsNotTheMessagesFault) {
  expect(Stage::mail, "503 5.5.1 Sender already given", Action::retry, ReplyClass::temp, Scope::connection);
  expect(Stage::mail, "503 5.5.1 Authentication required", Action::retry, ReplyClass::auth, Scope::lane);
}

TEST(Verdict, AFullConnectionIsNobodysFault) {
  for (const char* code : {"421", "450", "452", "550"}) {
    const std::string line = std::string(code) + " Too many recipients in this session";
    expect(Stage::rcpt, line, Action::retry, ReplyClass::temp, Scope::connection);
    EXPECT_TRUE(verdict(Stage::rcpt, line).at_once) << line;
  }
  EXPECT_FALSE(verdict(Stage::rcpt, "452 4.5.3 Too many recipients").at_once);
  EXPECT_FALSE(verdict(Stage::rcpt, "450 In this session, too many recipients").at_once);
}

// What is said before a login is about our address.
TEST(Verdict, ACapHasItsNumber) {
  const auto expect_cap = [](Stage stage, const char* line, smtp::Cap cap, std::uint32_t named) {
    const Verdict found = verdict(stage, line);
    EXPECT_EQ(to_string(found.cap), to_string(cap)) << line;
    EXPECT_EQ(found.named, named) << line;
  };
  expect_cap(Stage::greeting, "421 4.7.0 Too many connections from your host (max 20)",
             smtp::Cap::connections_total, 20);
  expect_cap(Stage::auth, "421 4.7.0 Too many connections, 10 connections allowed", smtp::Cap::connections,
             10);
  expect_cap(Stage::mail, "421 Too many messages in one connection, limit is 25",
             smtp::Cap::messages_per_connection, 25);
  expect_cap(Stage::rcpt, "452 4.5.3 Too many", smtp::Cap::recipients_per_message, 0);
  expect_cap(Stage::rcpt, "452 Maximum 100 recipients per message", smtp::Cap::recipients_per_message, 100);
  expect_cap(Stage::rcpt, "452 Too many", smtp::Cap::none, 0);  // a full disk says 452, too
  expect_cap(Stage::mail, "451 4.3.0 Later, limit is 5", smtp::Cap::none, 0);
}

TEST(Verdict, ARateIsReadWhereItIsTheAccounts) {
  EXPECT_EQ(verdict(Stage::mail, "455 Maximum messages sent per minute reached : limit is 10", "oci").rate,
            (config::Rate{10, 1min, config::Counted::messages}));
  EXPECT_EQ(verdict(Stage::mail, "450 Rate limit of 50 per hour exceeded").rate, (config::Rate{50, 1h}));
  EXPECT_EQ(verdict(Stage::rcpt, "450 Rate limit of 50 per hour exceeded").rate, std::nullopt);
  EXPECT_EQ(verdict(Stage::mail, "450 4.3.0 Later, at most 50 per hour").rate, std::nullopt);
}

TEST(Verdict, WhatWillNotBeSentFails) {
  expect(Stage::final_dot, "254 4.7.1 Suppression", Action::failed, ReplyClass::suppressed, Scope::message,
         "oci");
  expect(Stage::final_dot, "250 2.0.0 Ok", Action::failed, ReplyClass::suppressed, Scope::message,
         "cloudflare");
  expect(Stage::final_dot, "250 2.0.0 Ok", Action::delivered, ReplyClass::none, Scope::message, "ses");
}

TEST(Verdict, ProvidersTroubleReachesAsFarAsItsClass) {
  expect(Stage::final_dot, "554 5.2.0 STOREDRV; SubmissionQuotaExceeded", Action::retry, ReplyClass::quota,
         Scope::lane, "office365");
  expect(Stage::final_dot, "550 5.7.60 SMTP; no permission", Action::failed, ReplyClass::sender,
         Scope::sender, "office365");
  expect(Stage::rcpt, "550 5.4.5 Daily limit", Action::retry, ReplyClass::quota, Scope::lane, "gmail");
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
    EXPECT_FALSE(moves_on(found, {ReplyClass::temp}));
  }
}

// What arrives as an alert may have been taken as well as anything.
TEST(Verdict, ATlsAlertBehindTheDotIsDoubt) {
  EXPECT_TRUE(judge(Stage::final_dot, Trouble::tls).in_doubt);
  for (const Stage stage : {Stage::mail, Stage::rcpt, Stage::data, Stage::final_dot})
    EXPECT_FALSE(moves_on(judge(stage, Trouble::tls),
                          {ReplyClass::connect, ReplyClass::tls, ReplyClass::auth, ReplyClass::sender}));
}

TEST(Verdict, WhatTheUpstreamCannotTake) {
  EXPECT_EQ(judge(Stage::mail, Trouble::too_large),
            (Verdict{Action::failed, ReplyClass::size, Scope::message, false, true}));
  EXPECT_EQ(judge(Stage::mail, Trouble::no_extension),
            (Verdict{Action::failed, ReplyClass::sender, Scope::message, false, true}));
  // It was not asked: whatever the configuration says, another one may be.
  EXPECT_TRUE(moves_on(judge(Stage::mail, Trouble::too_large), {}));
  EXPECT_TRUE(moves_on(judge(Stage::mail, Trouble::no_extension), {}));
}

TEST(MovesOn, ByClass) {
  const smtp::ReplyClasses classes = {ReplyClass::connect, ReplyClass::tls,  ReplyClass::auth,
                                      ReplyClass::quota,   ReplyClass::rate, ReplyClass::sender};
  EXPECT_TRUE(moves_on(verdict(Stage::auth, "535 5.7.8 no"), classes));
  EXPECT_TRUE(moves_on(verdict(Stage::mail, "553 5.7.1 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::mail, "451 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::mail, "552 5.3.4 no"), classes));
  EXPECT_TRUE(moves_on(verdict(Stage::mail, "552 5.3.4 no"), {ReplyClass::size}));
  EXPECT_FALSE(moves_on(verdict(Stage::auth, "535 5.7.8 no"), {}));
}

TEST(MovesOn, WhatWasRefusedNeverDoes) {
  const smtp::ReplyClasses classes = {ReplyClass::none, ReplyClass::rcpt, ReplyClass::content,
                                      ReplyClass::suppressed};
  EXPECT_FALSE(moves_on(verdict(Stage::rcpt, "550 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::final_dot, "550 no"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::final_dot, "250 ok"), classes));
  EXPECT_FALSE(moves_on(verdict(Stage::final_dot, "250 ok", "cloudflare"), classes));
}

}  // namespace
}  // namespace relayd::settle
