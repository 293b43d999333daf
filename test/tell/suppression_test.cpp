// Suppression: whom an outcome suppresses, and the list.
#include "tell/suppression.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using smtp::Event;
using smtp::Stage;

constexpr WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;
constexpr Second second = std::chrono::floor<std::chrono::seconds>(noon);

struct Said {
  Fate fate = Fate::failed;
  Stage stage = Stage::rcpt;
  int code = 550;
  smtp::EnhancedCode enhanced = {5, 1, 1};
  const char* from = "App@Sender.Example";
  const char* reply_class = "rcpt";
  std::string text = "No such\nuser";
  std::string to = "Ann@Rcpt.Example";
  std::string sent_to = to;
  std::string sent_from = from;
};

std::optional<Suppression> suppressed_by(const Said& said) {
  const Event event(said.stage, smtp::Reply{said.code, said.enhanced, said.text});
  const Outcome outcome{.fate = said.fate,
                        .from = said.from,
                        .to = said.to,
                        .sent_from = said.sent_from,
                        .sent_to = said.sent_to,
                        .event = event,
                        .reply_class = said.reply_class};
  return suppression_of(outcome, noon, 24h);
}

TEST(Suppression, IsOfARecipientThatDoesNotExist) {
  const std::optional<Suppression> found = suppressed_by({});
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (Suppression{"ann@rcpt.example", "sender.example", second, second + 24h,
                                 "550 5.1.1 No such user"}));
}

TEST(Suppression, ComesOfEveryCodeThatSaysSo) {
  for (const std::uint16_t detail : {1, 2, 3, 6, 10})
    EXPECT_TRUE(suppressed_by({.enhanced = {5, 1, detail}})) << detail;
  for (const std::uint16_t detail : {0, 4, 5, 7, 8, 9, 11})
    EXPECT_FALSE(suppressed_by({.enhanced = {5, 1, detail}})) << detail;
}

TEST(Suppression, ComesOfNoRefusalOfTheSender) {
  EXPECT_FALSE(
      suppressed_by({.enhanced = {5, 1, 0},
                     .text = "<app@sender.example>: Sender address rejected: User unknown in virtual "
                             "mailbox table"}));
  for (const char* const text :
       {"<x@y.example>: Sender address rejected: Domain not found", "SENDER verify failed",
        "<APP@sender.example> is not known here", "No mail from app@out.example"})
    EXPECT_FALSE(suppressed_by({.text = text, .sent_from = "App@Out.Example"})) << text;
  EXPECT_FALSE(suppressed_by({.enhanced = {5, 1, 2}, .text = "Sender domain does not exist"}));
}

TEST(Suppression, ComesOfNoBlock) {
  for (const char* const text : {"Address rejected. Your IP is on our Blacklist", "on a blocklist", "Blocked",
                                 "looks like spam", "against our policy", "bad reputation"})
    EXPECT_FALSE(suppressed_by({.text = text})) << text;
}

TEST(Suppression, IsNotKeptFromByTheNameOfTheRecipient) {
  EXPECT_TRUE(suppressed_by({.text = "<Policy@Spam.example>: User unknown", .to = "policy@spam.example"}));
}

TEST(Suppression, IsOfNobodyWhereTheUpstreamWasGivenAnotherAddress) {
  EXPECT_FALSE(suppressed_by({.sent_to = "staging@office.example"}));
  EXPECT_TRUE(suppressed_by({.sent_to = "ann@rcpt.example"}));
}

TEST(Suppression, OfADomainInUnicodeIsThatOfItsALabels) {
  const std::optional<Suppression> found =
      suppressed_by({.from = "app@\u00e4.example", .to = "Ann@\u00e4.example"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->recipient, "ann@xn--4ca.example");
  EXPECT_EQ(found->sender, "xn--4ca.example");
  const Result<Suppression> made =
      make_suppression("Ann@\u00e4.example", "@\u00e4.Example", second, second, "");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->recipient, "ann@xn--4ca.example");
  EXPECT_EQ(made->sender, "xn--4ca.example");
}

// Within 255 octets as it came, and over them as A-labels.
std::string domain_that_grows() {
  std::string domain = "example";
  for (int i = 0; i < 80; ++i) domain = "\u00e4." + domain;
  return domain;
}

TEST(Suppression, IsOfNobodyWhoseRowCouldNotBeRead) {
  EXPECT_FALSE(suppressed_by({.to = "ann@" + domain_that_grows()}));
  EXPECT_FALSE(make_suppression("ann@" + domain_that_grows(), "", second, second, ""));
  EXPECT_FALSE(make_suppression("ann@x.example", domain_that_grows(), second, second, ""));
}

TEST(Suppression, ComesOfNothingElse) {
  const Said others[] = {
      {.fate = Fate::deferred, .code = 450, .enhanced = {4, 1, 1}},
      {.fate = Fate::deferred},  // it goes on elsewhere
      {.fate = Fate::delivered, .code = 250, .enhanced = {2, 1, 5}},
      {.enhanced = {}},
      {.enhanced = {5, 7, 1}},
      {.enhanced = {5, 2, 2}},
      {.stage = Stage::mail},
      {.stage = Stage::data},
      {.stage = Stage::final_dot},
      {.from = ""},
      {.from = "unqualified"},
      {.reply_class = "sender"},
      {.reply_class = "quota"},
  };
  for (const Said& said : others) EXPECT_FALSE(suppressed_by(said)) << &said - others;
}

TEST(Suppression, ComesOfNoFailureWithoutAReply) {
  const Event event(Stage::rcpt, smtp::Trouble::broken, "550 5.1.1 is what it might have said");
  const Outcome outcome{.fate = Fate::failed,
                        .from = "a@b.example",
                        .to = "c@d.example",
                        .event = event,
                        .reply_class = "rcpt"};
  EXPECT_FALSE(suppression_of(outcome, noon, 24h));
}

TEST(Suppression, TellsClientsNothingButAscii) {
  const Suppression entry{"ann@rcpt.example", "", second, second + 24h,
                          "550 5.1.1 Unbekannter Empf\u00e4nger"};
  EXPECT_EQ(
      refusal_text("Ann@rcpt.example", entry),
      "<Ann@rcpt.example> is suppressed from 2026-11-20 to 2026-11-21: 550 5.1.1 Unbekannter Empf??nger");
}

TEST(Suppression, OfAnOperatorIsChecked) {
  const auto made = [](const char* recipient, const char* sender) {
    return make_suppression(recipient, sender, second, second + 24h, "gone\r\nfor good");
  };
  const Result<Suppression> entry = made("Ann@Rcpt.example", "@Sender.example");
  ASSERT_TRUE(entry);
  EXPECT_EQ(*entry, (Suppression{"ann@rcpt.example", "sender.example", second, second + 24h,
                                 "gone\\x0D\\x0Afor good"}));
  for (const char* const bad : {"", "ann", "@rcpt.example", "-x@rcpt.example", "a b@rcpt.example", "a@b\n"})
    EXPECT_FALSE(made(bad, "")) << bad;
  for (const char* const bad : {"a@b.example", "no domain", "@@x", "x\n"})
    EXPECT_FALSE(made("ann@rcpt.example", bad)) << bad;
}

// --- the list ---

Suppression entry(const std::string& recipient, const std::string& sender, Second since = second) {
  return {recipient, sender, since, since + 24h, "reason of " + recipient};
}

TEST(SuppressionList, HoldsForOneDomainOrForAll) {
  SuppressionList list;
  list.put(entry("ann@x.example", "one.example"));
  list.put(entry("ben@x.example", ""));
  EXPECT_TRUE(list.find("ONE.example", "Ann@X.Example", noon));
  EXPECT_FALSE(list.find("two.example", "ann@x.example", noon));
  EXPECT_FALSE(list.find("", "ann@x.example", noon));
  EXPECT_TRUE(list.find("two.example", "ben@x.example", noon));
  EXPECT_TRUE(list.find("", "ben@x.example", noon));
}

TEST(SuppressionList, FindsADomainInUnicodeAndAsALabels) {
  SuppressionList list;
  list.put(entry("ann@xn--4ca.example", "xn--4ca.example"));
  EXPECT_TRUE(list.find("\u00e4.Example", "Ann@\u00e4.example", noon));
  EXPECT_TRUE(list.find("XN--4ca.example", "ann@xn--4CA.example", noon));
}

TEST(SuppressionList, EndsToTheSecond) {
  SuppressionList list;
  list.put(entry("ann@x.example", ""));
  EXPECT_TRUE(list.find("", "ann@x.example", noon + 24h - 1us));
  EXPECT_FALSE(list.find("", "ann@x.example", noon + 24h));
}

TEST(SuppressionList, OneForAllHoldsWhereThatOfTheDomainIsOver) {
  SuppressionList list;
  list.put(entry("ann@x.example", "one.example", second - 48h));
  list.put(entry("ann@x.example", ""));
  EXPECT_EQ(list.find("one.example", "ann@x.example", noon)->sender, "");
}

TEST(SuppressionList, TheOldestGoWhenItIsFull) {
  SuppressionList list(200);
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(list.put(entry(std::to_string(i) + "@x.example", "", second + std::chrono::seconds(i))), 0U);
  EXPECT_EQ(list.put(entry("5@x.example", "", second + 500s)), 0U) << "it is there already";
  EXPECT_EQ(list.put(entry("new@x.example", "", second + 501s)), 3U);
  EXPECT_EQ(list.size(), 198U);
  for (const char* const gone : {"0@x.example", "1@x.example", "2@x.example"})
    EXPECT_FALSE(list.find("", gone, noon)) << gone;
  EXPECT_TRUE(list.find("", "3@x.example", noon));
}

TEST(SuppressionList, StaysWithinItsLimitWhenAllAreOfOneSecond) {
  SuppressionList list(100);
  for (int i = 0; i < 1000; ++i) list.put(entry(std::to_string(i) + "@x.example", ""));
  EXPECT_LE(list.size(), 100U);
  EXPECT_GE(list.size(), 98U);
  EXPECT_TRUE(list.find("", "999@x.example", noon));
}

// Against a map, with times that come and go.
TEST(SuppressionList, IsAMapWithTimes) {
  std::mt19937 random(7);
  const auto below = [&random](unsigned most) { return random() % most; };
  SuppressionList list;
  std::map<std::pair<std::string, std::string>, Suppression> model;
  WallTime now = noon;
  for (int step = 0; step < 20'000; ++step) {
    const std::string recipient = std::to_string(below(200)) + "@x.example";
    const std::string sender = below(2) == 0 ? "" : "s" + std::to_string(below(3)) + ".example";
    const auto known = model.find({sender, recipient});
    const bool counts = known != model.end() && known->second.until > now;
    switch (below(8)) {
      case 0:
      case 1: {
        const Second since = std::chrono::floor<std::chrono::seconds>(now);
        const Suppression fresh{recipient, sender, since, since + std::chrono::seconds(below(500)),
                                "reason " + std::to_string(step)};
        list.put(fresh);
        model[{sender, recipient}] = fresh;
        break;
      }
      case 2:
        EXPECT_EQ(list.erase(sender, recipient), known != model.end());
        model.erase({sender, recipient});
        break;
      case 3:
        now += std::chrono::seconds(below(20));
        break;
      case 4:
        for (std::size_t slice = 0; slice < SuppressionList::slices; ++slice) list.drop_expired(slice, now);
        std::erase_if(model, [now](const auto& one) { return one.second.until <= now; });
        break;
      default: {
        const auto of_all = model.find({"", recipient});
        const bool all = of_all != model.end() && of_all->second.until > now;
        const std::optional<Suppression> found = list.find(sender, recipient, now);
        ASSERT_EQ(found.has_value(), counts || all) << step;
        if (found) ASSERT_EQ(*found, counts ? known->second : of_all->second) << step;
      }
    }
    ASSERT_EQ(list.size(), model.size());
  }
  std::size_t seen = 0;
  for (std::size_t slice = 0; slice < SuppressionList::slices; ++slice)
    for (const Suppression& one : list.slice(slice)) {
      EXPECT_EQ(model.at({one.sender, one.recipient}), one);
      ++seen;
    }
  EXPECT_EQ(seen, model.size());
}

}  // namespace
}  // namespace relayd::tell
