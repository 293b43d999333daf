// Every event that tell writes, as the table of docs/operations.md has it: the name, the level, the fields in
// their order.
#include "tell/log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using smtp::Event;
using smtp::Stage;
using smtp::Trouble;

// What one call says, from the level on.
std::string said(const std::function<void(Log&)>& call) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  {
    Log log(ends[1], Log::Format::text, telemetry::Level::debug, Log::Addresses::full);
    call(log);
  }
  ::close(ends[1]);
  std::string text(4096, '\0');
  const ssize_t count = ::read(ends[0], text.data(), text.size());
  ::close(ends[0]);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text.empty() ? text : text.substr(text.find("Z ") + 2, text.size() - text.find("Z ") - 3);
}

Event reply(Stage stage, int code, smtp::EnhancedCode enhanced, std::string text) {
  return {stage, smtp::Reply{code, enhanced, std::move(text)}};
}

Outcome outcome(Fate fate, const Event& event) {
  return {.fate = fate,
          .id = "1j0m0u4e32g",
          .from = "ann@example.com",
          .to = "bob@customer.example",
          .rule = "@example.com",
          .upstream = "office",
          .host = "office.example.net:587",
          .account = "relay",
          .tls = "TLSv1.3",
          .event = event,
          .reply_class = "none",
          .provider_id = "",
          .attempt = 2,
          .age = 1500ms};
}

std::string said_of(Fate fate, const Event& event) {
  return said([&](Log& log) { attempted(log, outcome(fate, event)); });
}

constexpr Lane lane{"office", "relay"};

TEST(TellLog, DeliveredNamesTheReplyAndTheProvidersId) {
  const Event event = reply(Stage::final_dot, 250, {2, 0, 0}, "Ok: queued as 4f1");
  Outcome delivered = outcome(Fate::delivered, event);
  delivered.provider_id = "4f1";
  EXPECT_EQ(said([&](Log& log) { attempted(log, delivered); }),
            "info delivered id=1j0m0u4e32g from=ann@example.com to=bob@customer.example upstream=office "
            "host=office.example.net:587 account=relay tls=TLSv1.3 stage=final_dot code=250 enhanced=2.0.0 "
            "response=\"2.0.0 Ok: queued as 4f1\" provider_id=4f1 delay=1.500 attempts=2 class=none");
}

TEST(TellLog, ATroubleHasTheCodeZeroAndItsText) {
  Event event(Stage::connect, Trouble::unreachable, "connection\nrefused");
  Outcome deferred = outcome(Fate::deferred, event);
  deferred.from = "";
  deferred.host = deferred.account = deferred.tls = "";
  deferred.reply_class = "connect";
  EXPECT_EQ(said([&](Log& log) { attempted(log, deferred); }),
            "warning deferred id=1j0m0u4e32g from=<> to=bob@customer.example upstream=office stage=connect "
            "code=0 response=\"connection\\\\x0Arefused\" delay=1.500 attempts=2 class=connect");
}

TEST(TellLog, EachFateHasItsNameAndLevel) {
  const Event event = reply(Stage::rcpt, 550, {}, "No");
  EXPECT_TRUE(said_of(Fate::delivered, event).starts_with("info delivered "));
  EXPECT_TRUE(said_of(Fate::deferred, event).starts_with("warning deferred "));
  EXPECT_TRUE(said_of(Fate::in_doubt, event).starts_with("warning in_doubt "));
  EXPECT_TRUE(said_of(Fate::failed, event).starts_with("error failed "));
}

TEST(TellLog, AnArrivalNamesItsClient) {
  mail::Envelope envelope;
  envelope.sender = "ann@example.com";
  envelope.recipients.push_back({"bob@customer.example", "", ""});
  envelope.client = "10.0.0.7";
  envelope.account = "web";
  Arrival arrival{.id = "1j0m0u4e32g",
                  .envelope = envelope,
                  .to = envelope.recipients,
                  .size = 42,
                  .tls = "TLSv1.3",
                  .message_id = "<1@example.com>"};
  const std::string fields =
      "id=1j0m0u4e32g from=ann@example.com to=bob@customer.example size=42 client=10.0.0.7 account=web "
      "tls=TLSv1.3";
  const auto line = [&] { return said([&](Log& log) { arrived(log, arrival); }); };
  EXPECT_EQ(line(), "info accepted " + fields);
  arrival.kind = Arrival::Kind::held;
  EXPECT_EQ(line(), "info held " + fields);
  arrival.kind = Arrival::Kind::discarded;
  EXPECT_EQ(line(), "info discarded " + fields);
}

TEST(TellLog, OfManyRecipientsTenAreNamed) {
  std::vector<mail::Recipient> recipients(2);
  recipients[0].address = "a@example.org";
  recipients[1].address = "b@example.org";
  EXPECT_EQ(recipients_text(recipients), "a@example.org,b@example.org");
  recipients.assign(12, {"a@b", "", ""});
  EXPECT_EQ(recipients_text(recipients), "a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,a@b,… 12 in all");
}

TEST(TellLog, WhatEndsWithoutAnAttemptSaysWhy) {
  const std::vector<mail::Recipient> to = {{"b@c", "", ""}, {"d@e", "", ""}};
  GivenUp message{Ending::expired, "1j0m0u4e32g", {}, "ann@example.com", to, {}, "too late", 7};
  const std::string fields =
      "id=1j0m0u4e32g from=ann@example.com to=b@c,d@e response=\"too late\" attempts=7";
  EXPECT_EQ(said([&](Log& log) { given_up(log, message); }), "error expired " + fields);
  message.why = Ending::rejected;
  EXPECT_EQ(said([&](Log& log) { given_up(log, message); }), "error failed " + fields);
  message.why = Ending::deleted;
  EXPECT_EQ(said([&](Log& log) { given_up(log, message); }), "error deleted " + fields);
}

TEST(TellLog, AnAccountFailsAndIsWellAgain) {
  EXPECT_EQ(said([](Log& log) {
              account_changed(log, {"ses", "app", false, "auth", "535 no. Correct it"});
            }),
            "warning account_failing upstream=ses account=app class=auth reason=\"535 no. Correct it\"");
  EXPECT_EQ(said([](Log& log) {
              account_changed(log, {"ses", "app", true});
            }),
            "info account_ok upstream=ses account=app");
}

TEST(TellLog, AReportHasANameForEachKind) {
  const std::vector<mail::Recipient> about = {{"b@c", "", ""}, {"d@e", "", ""}};
  Reported report{.kind = Reported::Kind::failed,
                  .id = "1j0m0u4e32g",
                  .from = "ann@example.com",
                  .about = about,
                  .report = "1j0m0u4e32h",
                  .to = "ann@example.com,ops@example.com",
                  .reason = ""};
  const auto line = [&] { return said([&](Log& log) { reported(log, report); }); };
  const std::string fields =
      "id=1j0m0u4e32g from=ann@example.com to=ann@example.com,ops@example.com about=b@c,d@e "
      "report=1j0m0u4e32h";
  EXPECT_EQ(line(), "info bounced " + fields);
  report.kind = Reported::Kind::delayed;
  EXPECT_EQ(line(), "info delay_warned " + fields);
  for (const Reported::Kind kind :
       {Reported::Kind::relayed, Reported::Kind::delivered, Reported::Kind::expanded}) {
    report.kind = kind;
    EXPECT_EQ(line(), "info reported " + fields);
  }
}

TEST(TellLog, AReportThatIsNotWrittenSaysWhy) {
  const std::vector<mail::Recipient> about = {{"b@c", "", ""}};
  const Reported report{.kind = Reported::Kind::failed,
                        .id = "1j0m0u4e32g",
                        .from = "",
                        .about = about,
                        .report = "",
                        .to = "",
                        .reason = "the null sender is told nothing"};
  EXPECT_EQ(said([&](Log& log) { reported(log, report); }),
            "info bounced id=1j0m0u4e32g from=<> about=b@c reason=\"the null sender is told nothing\"");
}

TEST(TellLog, WhatHasNoRuleSaysWhatToAdd) {
  const Handled message{Handled::Kind::routeless, "1j0m0u4e32g", "ann@example.com",
                        "no sender rule matches: add one to `senders:`"};
  EXPECT_EQ(said([&](Log& log) { handled(log, message); }),
            "warning deferred id=1j0m0u4e32g from=ann@example.com response=\"no sender rule matches: add one "
            "to `senders:`\" class=none");
}

TEST(TellLog, WhatTheOperatorDoesIsHis) {
  for (const char* name : {"held", "released", "retried", "deleted"}) {
    const Handled message{*find_word<Handled::Kind>(name), "1j0m0u4e32g", ""};
    EXPECT_EQ(said([&](Log& log) { handled(log, message); }),
              std::string("info ") + name + " id=1j0m0u4e32g from=<> by=operator");
  }
}

TEST(TellLog, WhatIsHeldInDoubtNamesTheCommands) {
  const std::string first =
      "warning held id=1j0m0u4e32g from=ann@example.com upstream=office attempts=3 reason=\"office";
  const std::string last =
      " and no reply came. Where it has not: `relayd queue retry --not-taken 1j0m0u4e32g`; where it has: "
      "`relayd queue delete 1j0m0u4e32g`, which ends it for all recipients that are left\"";
  Doubt doubt{"1j0m0u4e32g", "ann@example.com", "office", 3, 1};
  EXPECT_EQ(said([&](Log& log) { held(log, doubt); }), first + " may have taken it" + last);
  doubt.times = 3;
  EXPECT_EQ(said([&](Log& log) { held(log, doubt); }), first + " may have taken it, 3 times" + last);
}

TEST(TellLog, WhatCannotBeReadIsTroubleOfTheQueue) {
  EXPECT_EQ(said([](Log& log) { unreadable(log, "1j0m0u4e32g", "Input/output error"); }),
            "error queue_trouble id=1j0m0u4e32g reason=\"Input/output error\"");
}

TEST(TellLog, ALaneIsNamedByUpstreamAndAccount) {
  const std::string fields = " upstream=office account=relay";
  EXPECT_EQ(said([](Log& log) { lane_stopped(log, lane); }), "info lane_stopped" + fields);
  EXPECT_EQ(said([](Log& log) { lane_released(log, lane); }), "info lane_released" + fields);
  EXPECT_EQ(said([](Log& log) { lane_resumed(log, lane); }), "info lane_resumed" + fields);
  EXPECT_EQ(said([](Log& log) { next_port(log, lane, "refused", 587); }),
            "warning next_port" + fields + " response=refused port=587");
}

TEST(TellLog, APauseSaysWhyAndHowLong) {
  const Pause pause{"office.example.net:587", "rate", 451, "4.7.1 Slow down", 90s};
  EXPECT_EQ(said([&](Log& log) { lane_paused(log, lane, pause); }),
            "warning lane_paused upstream=office account=relay host=office.example.net:587 class=rate "
            "code=451 response=\"4.7.1 Slow down\" delay=90.000");
}

TEST(TellLog, ALimitThatWasLearntIsNamedByItsKey) {
  EXPECT_EQ(said([](Log& log) {
              limit_learnt(log, lane, "messages_per_connection", "25", "4.7.0 Too many messages");
            }),
            "info limit_learnt upstream=office account=relay key=messages_per_connection value=25 "
            "response=\"4.7.0 Too many messages\"");
}

TEST(TellLog, PipeliningThatWasReducedNamesTheSetting) {
  EXPECT_EQ(said([](Log& log) { pipelining_reduced(log, lane, "1j0m0u4e32g"); }),
            "warning pipelining_reduced upstream=office account=relay id=1j0m0u4e32g reason=\"the server "
            "mishandles commands that ride behind the final dot; set 'pipelining: transaction' to spare it "
            "the attempt\"");
}

TEST(TellLog, PasswordsAreNamedByTheirKeys) {
  const std::string changed = "warning password_changed upstream=office account=relay reason=\"'password' ";
  EXPECT_EQ(said([](Log& log) { password_changed(log, lane, "next_password", "password", false); }),
            changed + "is refused, 'next_password' works\"");
  EXPECT_EQ(said([](Log& log) { password_changed(log, lane, "next_password", "password", true); }),
            changed + "cannot be read, 'next_password' works\"");
  EXPECT_EQ(said([](Log& log) { password_unreadable(log, lane, "password", "no such file"); }),
            "warning password_unreadable upstream=office account=relay key=password reason=\"no such file\"");
}

}  // namespace
}  // namespace relayd::tell
