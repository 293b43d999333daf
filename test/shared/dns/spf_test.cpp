#include "shared/dns/spf.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::dns {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Answer texts(std::vector<std::string> records) {
  return {Answer::Kind::texts, std::move(records)};
}

SpfWalk walk(std::string record, Answers others = {}) {
  others["example.com"] = texts({std::move(record)});
  return walk_spf("example.com", others);
}

const Answers others = {
    {"a.example", texts({"v=spf1 ip4:192.0.2.1 -all"})},
    {"b.example", texts({"other", "V=SPF1 include:a.example ?include:c.example a mx -all"})},
    {"c.example", texts({"v=spf1 redirect=a.example"})}};

TEST(Spf, ARecordBeginsWithItsVersionAndABlank) {
  EXPECT_TRUE(is_spf("v=spf1"));
  EXPECT_TRUE(is_spf("V=SPF1 -all"));
  EXPECT_FALSE(is_spf("v=spf10 -all"));
  EXPECT_FALSE(is_spf("v=spf1;-all"));
  EXPECT_FALSE(is_spf(" v=spf1"));
}

TEST(Spf, TermsAreRead) {
  for (const char* term : {"all", "-ALL", "include:x.example", "+include:_spf.%{d}", "a", "a/24",
                           "a:x.example/24//64", "mx//64", "ptr", "ptr:x.example", "exists:%{i}.x.example",
                           "ip4:192.0.2.0/24", "ip4:192.0.2.1", "ip6:2001:db8::/32", "redirect=x.example",
                           "exp=x.example", "unknown=anything", "un.known-1=", "  ~all  "})
    EXPECT_TRUE(parse_spf(std::string("v=spf1 ") + term)) << term;
  for (const char* term : {"al",
                           "all:x",
                           "all/24",
                           "include",
                           "include:",
                           "include:com",
                           "include:.x",
                           "include:a.example/24",
                           "a:",
                           "a/33",
                           "a/x",
                           "mx//129",
                           "ip4:192.0.2",
                           "ip4:192.0.2.0/33",
                           "ip4:2001:db8::",
                           "ip6:192.0.2.1",
                           "ip4",
                           "exists",
                           "redirect=",
                           "redirect=a.example redirect=b.example",
                           "=x",
                           "1=x",
                           "-",
                           ":",
                           "spf2.0/pra",
                           "include:\xc3\xa9.example",
                           "include:a.example,",
                           "include:a.example;",
                           "\tmx",
                           "a\tmx"})
    EXPECT_FALSE(parse_spf(std::string("v=spf1 ") + term)) << term;
}

TEST(Spf, IncludesOfIncludesPassAndCount) {
  const SpfWalk found = walk("v=spf1 include:b.example ~all", others);
  EXPECT_THAT(found.passing, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(found.lookups, 6);  // b, a, c, its redirect, a, mx
  EXPECT_THAT(found.faults, IsEmpty());
  EXPECT_THAT(found.open, IsEmpty());
}

TEST(Spf, OnlyAPassLetsThrough) {
  for (const char* qualifier : {"-", "?", "~"})
    EXPECT_THAT(walk(std::string("v=spf1 ") + qualifier + "include:a.example ~all", others).passing,
                IsEmpty());
  EXPECT_THAT(walk("v=spf1 +INCLUDE:A.Example. ~all", others).passing, ElementsAre("a.example"));
}

TEST(Spf, WhatStandsBehindAllDoesNotCount) {
  const SpfWalk found = walk("v=spf1 ~all include:a.example redirect=b.example", others);
  EXPECT_THAT(found.passing, IsEmpty());
  EXPECT_EQ(found.lookups, 0);
}

TEST(Spf, TermsAreReadInTheirOrder) {
  for (const char* before :
       {"-include:a.example", "?include:a.example", "~include:b.example", "-all", "-ip4:0.0.0.0/0 -ip6:::/0",
        "?ip4:1.2.3.4/0", "~a/0", "-mx:x.example/0//64", "-include:open.example"}) {
    Answers answers = others;
    answers["open.example"] = texts({"v=spf1 +all"});
    const SpfWalk found = walk(std::string("v=spf1 ") + before + " include:a.example ~all", answers);
    EXPECT_THAT(found.passing, IsEmpty()) << before;
    EXPECT_THAT(found.late, Contains("a.example")) << before;
    const std::vector<Finding> findings =
        check_spf("example.com", std::vector<std::string>{"a.example"}, found);
    ASSERT_FALSE(findings.empty());
    EXPECT_EQ(findings.back().state, State::wrong);
    EXPECT_THAT(findings.back().text, HasSubstr("a term before the include")) << before;
    EXPECT_THAT(walk(findings.back().needed, answers).passing, Contains("a.example")) << before;
  }
}

TEST(Spf, WhatStopsOnlySomeOrStandsInAnotherRecordStopsNothing) {
  for (const char* before :
       {"-ip4:192.0.2.0/24", "-a", "-ip6:::/0", "-include:c.example", "-mx//0", "include:inner.example"}) {
    Answers answers = others;
    answers["c.example"] = texts({"v=spf1 ip4:192.0.2.9 -all"});
    answers["inner.example"] = texts({"v=spf1 ip4:192.0.2.8 -include:a.example -all"});
    EXPECT_THAT(walk(std::string("v=spf1 ") + before + " include:a.example ~all", answers).passing,
                Contains("a.example"))
        << before;
  }
  EXPECT_THAT(walk("v=spf1 -ip6:::/0 include:a.example ~all", others).notes, Contains(HasSubstr("IPv6")));
}

TEST(Spf, ARecordThatLetsEverybodySendIsAFault) {
  Answers answers = others;
  answers["open.example"] = texts({"v=spf1 mx +all"});
  answers["wide.example"] = texts({"v=spf1 include:open.example -all"});
  for (const char* record : {"all", "ip4:0.0.0.0/0 -all", "ip6:::/0 -all", "a/0 -all"})
    EXPECT_THAT(walk(std::string("v=spf1 ") + record, answers).faults,
                Contains(HasSubstr("lets everybody send as this domain")))
        << record;
  for (const char* record : {"include:wide.example -all", "redirect=open.example"})
    EXPECT_THAT(walk(std::string("v=spf1 ") + record, answers).faults,
                ElementsAre("'+all' in the record of open.example lets everybody send as this domain"))
        << record;
  for (const char* record :
       {"?include:open.example -all", "-all include:open.example", "ip4:0.0.0.0/10 -all"})
    EXPECT_THAT(walk(std::string("v=spf1 ") + record, answers).faults, IsEmpty()) << record;
}

TEST(Spf, AnIncludeThatLetsNobodySendIsSaid) {
  Answers answers = others;
  answers["shut.example"] = texts({"v=spf1 -all"});
  const SpfWalk found = walk("v=spf1 include:shut.example include:a.example -all", answers);
  const std::vector<Finding> wanted =
      check_spf("example.com", std::vector<std::string>{"shut.example", "a.example"}, found);
  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_EQ(wanted[0].state, State::wrong);
  EXPECT_THAT(wanted[0].text, HasSubstr("shut.example is named, and its record lets nobody send"));
  EXPECT_EQ(wanted[0].needed, "");
  const std::vector<Finding> other = check_spf("example.com", std::vector<std::string>{"a.example"}, found);
  ASSERT_EQ(other.size(), 2u);
  EXPECT_EQ(other[0].state, State::note);
}

TEST(Spf, ARecordWithoutABlankBehindItsVersionIsBroken) {
  for (const char* record : {"v=spf1\tinclude:a.example -all", " v=spf1 -all", "v=SPF1; -all"}) {
    const SpfWalk found = walk(record, others);
    const std::vector<Finding> findings =
        check_spf("example.com", std::vector<std::string>{"a.example"}, found);
    ASSERT_EQ(findings.size(), 1u) << record;
    EXPECT_EQ(findings[0].state, State::wrong);
    EXPECT_THAT(findings[0].text, HasSubstr("the record of example.com is broken: it must begin"));
    EXPECT_EQ(findings[0].needed, "");
  }
  EXPECT_FALSE(resembles_spf("v=spf10 -all"));
  EXPECT_FALSE(resembles_spf("v=spf1 -all"));
}

TEST(Spf, ARedirectStandsForTheWholeRecord) {
  EXPECT_THAT(walk("v=spf1 redirect=b.example", others).passing, ElementsAre("a.example", "b.example"));
}

TEST(Spf, NamesWithoutAnAnswerAreToBeAskedFor) {
  EXPECT_THAT(walk_spf("example.com", {}).open, ElementsAre("example.com"));
  EXPECT_THAT(walk("v=spf1 include:x.example include:y.example include:x.example ~all").open,
              ElementsAre("x.example", "y.example"));
}

struct Fault {
  const char* record;
  const char* says;
};

TEST(Spf, WhatMakesARecordUselessIsSaid) {
  const Fault faults[] = {
      {"v=spf1 inclde:a.example ~all", "'inclde:a.example' is no term"},
      {"v=spf1 include:none.example ~all", "none.example is named, and has no SPF record"},
      {"v=spf1 include:two.example ~all", "two.example has 2 SPF records"},
      {"v=spf1 include:example.com ~all", "names example.com, and so itself"},
      {"v=spf1 include:loop.example ~all", "names loop.example, and so itself"},
      {"v=spf1 +all", "'+all' lets everybody"},
      {"v=spf1 include:broken.example ~all", "the record of broken.example is broken: 'x' is no term"},
      {"v=spf1 a a a a a a a a a a a ~all", "it takes 11 look-ups"},
      {"v=spf1 include:wide.example ~all", "it takes more than 40 look-ups"},
  };
  Answers answers = others;
  answers["none.example"] = {};
  answers["two.example"] = texts({"v=spf1 -all", "v=spf1 ~all"});
  answers["loop.example"] = texts({"v=spf1 include:turn.example -all"});
  answers["turn.example"] = texts({"v=spf1 include:loop.example -all"});
  answers["broken.example"] = texts({"v=spf1 x"});
  std::string wide = "v=spf1";
  for (int i = 0; i < 1000; ++i) wide += " include:wider.example";
  answers["wide.example"] = texts({wide});
  answers["wider.example"] = texts({"v=spf1 include:a.example -all"});
  for (const Fault& fault : faults)
    EXPECT_THAT(walk(fault.record, answers).faults, Contains(HasSubstr(fault.says))) << fault.record;
}

TEST(Spf, TenLookUpsAreAllowed) {
  EXPECT_THAT(walk("v=spf1 a a a a a a a a a mx ~all").faults, IsEmpty());
}

TEST(Spf, MacrosAreCountedAndNotFollowed) {
  const SpfWalk found = walk("v=spf1 include:%{d}.x.example exists:%{i}.y.example -all");
  EXPECT_EQ(found.lookups, 2);
  EXPECT_THAT(found.open, IsEmpty());
  EXPECT_THAT(found.notes, ElementsAre(HasSubstr("macro")));
}

TEST(Spf, IncludesAreAddedWhereTheyCount) {
  const std::vector<std::string> two = {"a.example", "b.example"};
  EXPECT_EQ(spf_with("", two), "v=spf1 include:a.example include:b.example ~all");
  EXPECT_EQ(spf_with("v=spf1 mx -all", two), "v=spf1 mx include:a.example include:b.example -all");
  EXPECT_EQ(spf_with("v=spf1 mx  redirect=c.example", two),
            "v=spf1 mx  include:a.example include:b.example redirect=c.example");
  EXPECT_EQ(spf_with("v=spf1", two), "v=spf1 include:a.example include:b.example");
  EXPECT_EQ(spf_with("v=spf1 a:all.example ALL", two),
            "v=spf1 a:all.example include:a.example include:b.example ALL");
}

std::vector<Finding> check(const SpfWalk& found, std::vector<std::string> includes) {
  return check_spf("example.com", includes, found);
}

TEST(Spf, AMissingIncludeIsWrongAndTheWholeRecordIsShown) {
  const std::vector<Finding> findings =
      check(walk("v=spf1 include:a.example -all", others), {"a.example", "x.example"});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::wrong);
  EXPECT_THAT(findings[0].text, HasSubstr("x.example"));
  EXPECT_EQ(findings[0].needed, "v=spf1 include:a.example include:x.example -all");
}

TEST(Spf, NoRecordIsWrongOnlyWhereOneIsNeeded) {
  const SpfWalk none = walk_spf("example.com", {{"example.com", {}}});
  ASSERT_EQ(check(none, {"a.example"}).size(), 1u);
  EXPECT_EQ(check(none, {"a.example"})[0].state, State::wrong);
  EXPECT_EQ(check(none, {"a.example"})[0].needed, "v=spf1 include:a.example ~all");
  ASSERT_EQ(check(none, {}).size(), 1u);
  EXPECT_EQ(check(none, {})[0].state, State::note);
}

TEST(Spf, WhatDnsDoesNotTellIsUnknownAndNotMissing) {
  const Answer failed{Answer::Kind::failed, {}, "SERVFAIL"};
  for (const SpfWalk& found : {walk_spf("example.com", {{"example.com", failed}}),
                               walk("v=spf1 include:x.example -all", {{"x.example", failed}})}) {
    const std::vector<Finding> findings = check(found, {"a.example"});
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].state, State::unknown);
    EXPECT_EQ(findings[0].text, "SERVFAIL");
  }
}

TEST(Spf, OkIsSaidOnce) {
  const std::vector<Finding> findings = check(walk("v=spf1 include:b.example -all", others), {"a.example"});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::ok);
  EXPECT_THAT(findings[0].text, HasSubstr("6 of 10"));
}

}  // namespace
}  // namespace relayd::dns
