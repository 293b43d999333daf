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

// --- row by row ---

struct Case {
  std::string_view provider;
  Stage stage;
  const char* line;
  ReplyClass reply_class;
};

// As the providers' documentation quotes them, where it does.
const Case cases[] = {
    {"gmail", Stage::final_dot, "550 5.4.5 Daily user sending limit exceeded. - gsmtp", ReplyClass::quota},
    {"gmail", Stage::rcpt, "550 5.4.5 Daily SMTP relay limit exceeded for user. - gsmtp", ReplyClass::quota},
    {"gmail", Stage::rcpt, "550 5.7.1 Daily SMTP relay limit exceeded for customer. - gsmtp",
     ReplyClass::quota},
    {"gmail", Stage::mail, "550 5.7.1 Email quota exceeded. - gsmtp", ReplyClass::quota},
    {"gmail", Stage::mail, "550 5.7.1 Invalid credentials for relay. - gsmtp", ReplyClass::auth},
    {"gmail", Stage::final_dot, "550 5.7.1 Our system has detected that this message is likely spam. - gsmtp",
     ReplyClass::content},
    {"gmail", Stage::mail, "450 4.2.1 Peak SMTP relay limit exceeded for customer. - gsmtp",
     ReplyClass::rate},
    {"gmail", Stage::rcpt, "450 4.2.1 The user is receiving mail too quickly. - gsmtp", ReplyClass::temp},
    {"gmail", Stage::final_dot, "421 4.7.0 Our system has detected an unusual rate of unsolicited mail",
     ReplyClass::rate},
    {"gmail", Stage::final_dot, "552 5.2.3 Your message exceeded Google's message size limits. - gsmtp",
     ReplyClass::size},
    {"gmail", Stage::auth, "454 4.7.0 Cannot authenticate due to a temporary system problem",
     ReplyClass::auth},
    {"gmail", Stage::auth, "454 4.7.0 Too many login attempts, please try again later.", ReplyClass::auth},
    {"gmail", Stage::auth, "535 5.7.8 Username and Password not accepted. - gsmtp", ReplyClass::auth},
    {"gmail", Stage::mail, "530 5.7.0 Must issue a STARTTLS command first. - gsmtp", ReplyClass::auth},

    {"mailgun", Stage::final_dot, "421 Domain example.com is not allowed to send: recipient limit exceeded",
     ReplyClass::auth},
    {"", Stage::final_dot, "421 Domain example.com is not allowed to send: recipient limit exceeded",
     ReplyClass::temp},
    {"mailgun", Stage::final_dot, "554 Sandbox subdomains are for test purposes only.", ReplyClass::sender},

    {"office365", Stage::mail, "432 4.3.2 Concurrent connections limit exceeded.", ReplyClass::conn},
    {"office365", Stage::final_dot, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
     ReplyClass::conn},
    {"office365", Stage::final_dot, "432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded",
     ReplyClass::temp},
    {"office365", Stage::auth, "504 5.7.4 Unrecognized authentication type", ReplyClass::auth},
    {"office365", Stage::auth, "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
     ReplyClass::auth},
    {"office365", Stage::mail, "530 5.7.57 Client not authenticated to send mail.", ReplyClass::auth},
    {"office365", Stage::auth, "550 5.7.30 Basic authentication is not supported for Client Submission.",
     ReplyClass::auth},
    {"office365", Stage::final_dot, "550 5.7.30 Basic authentication is not supported", ReplyClass::auth},
    {"office365", Stage::final_dot,
     "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException.MapiException",
     ReplyClass::quota},
    {"office365", Stage::final_dot,
     "554 5.2.2 mailbox full; STOREDRV.Submission.Exception:QuotaExceededException.MapiException",
     ReplyClass::quota},
    {"office365", Stage::final_dot,
     "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
     ReplyClass::sender},
    {"office365", Stage::final_dot, "554 5.2.0 STOREDRV.Submission.Exception:Something", ReplyClass::content},
    {"office365", Stage::final_dot,
     "550 5.7.60 SMTP; Client does not have permissions to send as this sender", ReplyClass::sender},
    {"office365", Stage::final_dot, "550 5.2.252 Sender throttled due to continuous send as denied errors.",
     ReplyClass::rate},
    {"office365", Stage::final_dot, "550 5.1.8 Access denied, bad outbound sender", ReplyClass::auth},

    {"sendgrid", Stage::auth, "451 Authentication failed: Maximum credits exceeded", ReplyClass::quota},
    {"sendgrid", Stage::final_dot, "451 You have exceeded your messaging limits", ReplyClass::quota},
    {"sendgrid", Stage::final_dot, "550 The from address does not match a verified Sender Identity.",
     ReplyClass::sender},
    {"sendgrid", Stage::mail, "550 Unauthenticated senders not allowed", ReplyClass::auth},

    {"ses", Stage::greeting, "421 Too many concurrent SMTP connections", ReplyClass::conn},
    {"ses", Stage::final_dot, "454 Throttling failure: Maximum sending rate exceeded.", ReplyClass::rate},
    {"ses", Stage::final_dot, "454 Throttling failure: Daily message quota exceeded.", ReplyClass::quota},
    {"ses", Stage::auth, "454 Temporary authentication failure", ReplyClass::auth},
    {"ses", Stage::auth, "535 Authentication Credentials Invalid", ReplyClass::auth},
    {"ses", Stage::final_dot, "554 Message rejected: Email address is not verified. The following identities",
     ReplyClass::sender},
    {"ses", Stage::final_dot, "554 Message rejected: Sending paused for this account.", ReplyClass::auth},
    {"ses", Stage::final_dot, "554 Transaction failed: Invalid email address", ReplyClass::content},

    {"", Stage::mail, "530 5.7.0 no", ReplyClass::auth},
    {"", Stage::mail, "535 5.7.8 no", ReplyClass::auth},
    {"", Stage::mail, "538 5.7.11 no", ReplyClass::auth},
    {"", Stage::mail, "432 4.7.12 A password transition is needed", ReplyClass::auth},
    {"", Stage::mail, "550 5.7.1 Authentication required", ReplyClass::auth},
    {"", Stage::mail, "554 Authentication is required", ReplyClass::auth},
    {"", Stage::mail, "553 Client was not authenticated", ReplyClass::auth},
    {"", Stage::greeting, "421 4.7.0 Error: Too many connections", ReplyClass::conn},
    {"", Stage::greeting, "554 Too many connections", ReplyClass::conn},
    {"", Stage::final_dot, "550 5.7.1 Sending quota exceeded", ReplyClass::quota},
    {"", Stage::final_dot, "550 5.4.5 Daily user sending limit exceeded", ReplyClass::quota},
    {"", Stage::final_dot, "550 5.4.5 Daily sending limit reached", ReplyClass::quota},
    {"", Stage::final_dot, "550 Daily limit reached", ReplyClass::quota},
    {"", Stage::rcpt, "450 4.2.1 rate limit exceeded", ReplyClass::rate},
    {"", Stage::mail, "421 Throttled", ReplyClass::rate},
    {"", Stage::mail, "451 You send too fast", ReplyClass::rate},
    {"", Stage::mail, "450 4.7.1 Error: too many messages", ReplyClass::rate},
    {"", Stage::mail, "451 Too much mail from you", ReplyClass::rate},
    {"", Stage::ehlo, "550 no", ReplyClass::connect},
    {"", Stage::starttls, "454 TLS not available", ReplyClass::tls},
    {"", Stage::auth, "504 5.5.4 no mechanism", ReplyClass::auth},
    {"", Stage::final_dot, "554 5.3.4 Too big", ReplyClass::size},
    {"", Stage::mail, "552 Too big", ReplyClass::size},
    {"", Stage::final_dot, "552 5.2.2 Over quota", ReplyClass::content},
    {"", Stage::final_dot, "552 Too big", ReplyClass::size},
    {"", Stage::mail, "553 5.7.1 Not owned", ReplyClass::sender},
    {"", Stage::rcpt, "550 5.1.1 No such user", ReplyClass::rcpt},
    {"", Stage::final_dot, "554 5.7.1 Spam", ReplyClass::content},
    {"", Stage::mail, "451 4.3.0 Later", ReplyClass::temp},
};

TEST(Verdict, SaysWhatTheReplyMeans) {
  for (const auto& [provider, stage, line, reply_class] : cases)
    EXPECT_EQ(to_string(verdict(stage, line, provider).reply_class), to_string(reply_class))
        << provider << ' ' << to_string(stage) << ": " << line;
}

// For each row there is a case that the rows after it would get wrong.
TEST(Verdict, EachRowMatters) {
  std::vector<bool> matters(row_count());
  for (const auto& [provider, stage, line, reply_class] : cases) {
    const std::vector<FittingRow> fitting = fitting_rows(stage, reply(line), provider);
    ASSERT_FALSE(fitting.empty());
    const bool alone = fitting.size() == 1 || fitting[1].reply_class != fitting[0].reply_class;
    if (alone) matters[fitting[0].number] = true;
  }
  for (std::size_t number = 0; number < matters.size(); ++number)
    EXPECT_TRUE(matters[number]) << "row " << number << " of the table has no case of its own";
}

TEST(Verdict, APresetsRowsAreItsOwn) {
  for (const auto& [provider, stage, line, reply_class] : cases)
    EXPECT_EQ(verdict(stage, line, "other"), verdict(stage, line)) << line;
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
    EXPECT_FALSE(moves_on(found, {"temp"}));
  }
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
