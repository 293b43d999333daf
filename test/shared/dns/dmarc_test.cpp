#include "shared/dns/dmarc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::dns {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Answers answers(std::initializer_list<std::pair<const char*, std::vector<std::string>>> records,
                std::string_view asked = "mail.news.example.com") {
  Answers made;
  for (const std::string& name : dmarc_names(asked)) made[name] = {};
  for (const auto& [domain, texts] : records) made[dmarc_name(domain)] = {Answer::Kind::texts, texts};
  return made;
}

TEST(Dmarc, TheNamesAreThoseOfTheDomainAndItsParents) {
  EXPECT_THAT(dmarc_names("news.example.com"),
              ElementsAre("_dmarc.news.example.com", "_dmarc.example.com", "_dmarc.com"));
  EXPECT_THAT(dmarc_names("a.b.c.d.e.f.g.h.i.j"), testing::SizeIs(8));
  EXPECT_EQ(dmarc_names("a.b.c.d.e.f.g.h.i.j")[1], "_dmarc.d.e.f.g.h.i.j");
}

TEST(Dmarc, ARecordBeginsWithItsVersion) {
  for (const char* text : {"v=DMARC1; p=none", "v=DMARC1", "v = DMARC1 ;p=none"})
    EXPECT_TRUE(is_dmarc(text)) << text;
  for (const char* text : {"", "v=DMARC2; p=none", "v=dmarc1; p=none", "V=DMARC1; p=none", "p=none; v=DMARC1",
                           "v=DMARC1 p=none"})
    EXPECT_FALSE(is_dmarc(text)) << text;
}

TEST(Dmarc, APolicyIsRead) {
  const Result<DmarcRecord> record =
      parse_dmarc("v=DMARC1; p=Reject; sp=none; adkim=s; rua=mailto:a@x!10m,mailto:b@y; unknown=x; psd=n;");
  ASSERT_TRUE(record) << record.error();
  EXPECT_EQ(record->policy, "reject");
  EXPECT_EQ(record->subdomain_policy, "none");
  EXPECT_TRUE(record->strict_dkim);
  EXPECT_FALSE(record->strict_spf);
  EXPECT_EQ(record->public_suffix, false);
}

struct Broken {
  const char* record;
  const char* says;
};

TEST(Dmarc, ABrokenRecordIsWrong) {
  const Broken cases[] = {
      {"v=DMARC1", "'p=' is missing"},
      {"v=DMARC1; p=", "'p=' must be none"},
      {"v=DMARC1; p=block", "'p=block' must be none"},
      {"v=DMARC1; p=none; sp=all", "'sp=all' must be none"},
      {"v=DMARC1; p=none; adkim=x", "'adkim=x' must be r or s"},
      {"v=DMARC1; p=none; aspf=strict", "'aspf=strict' must be r or s"},
      {"v=DMARC1; p=none p", "must be none"},
      {"v=DMARC1; p=none; p=reject", "'p' is there twice"},
      {"v=DMARC1 p=none", "does not begin with 'v=DMARC1;'"},
      {"v=dmarc1; p=none", "does not begin with 'v=DMARC1;'"},
  };
  for (const Broken& broken : cases) {
    const auto findings =
        check_dmarc("example.com", answers({{"example.com", {broken.record}}}, "example.com"));
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].state, State::wrong) << broken.record;
    EXPECT_THAT(findings[0].text, HasSubstr(broken.says));
  }
}

TEST(Dmarc, TwoRecordsCountAsNone) {
  const auto findings = check_dmarc(
      "example.com", answers({{"example.com", {"v=DMARC1; p=none", "v=DMARC1; p=none"}}}, "example.com"));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::wrong);
  EXPECT_THAT(findings[0].text, HasSubstr("2 records"));
}

TEST(Dmarc, TextsOfOthersDoNotCount) {
  const auto findings = check_dmarc(
      "example.com",
      answers({{"example.com", {"google-site-verification=x", "v=DMARC1; p=reject"}}}, "example.com"));
  EXPECT_EQ(findings[0].state, State::ok);
  EXPECT_EQ(findings[0].text, "p=reject");
}

TEST(Dmarc, AParentStandsIn) {
  const auto findings =
      check_dmarc("mail.news.example.com", answers({{"news.example.com", {"v=DMARC1; p=none"}},
                                                    {"example.com", {"v=DMARC1; p=reject; sp=quarantine"}}}));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::ok);
  EXPECT_THAT(findings[0].text, HasSubstr("that of example.com counts: sp=quarantine"));
}

TEST(Dmarc, MissingIsWrongWithALineToBeginWith) {
  const auto findings = check_dmarc("example.com", answers({}, "example.com"));
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::wrong);
  EXPECT_EQ(findings[0].needed, "v=DMARC1; p=none; rua=mailto:postmaster@example.com");
}

TEST(Dmarc, WhatDnsDoesNotTellIsUnknown) {
  Answers own = answers({}, "example.com");
  own["_dmarc.example.com"] = {Answer::Kind::failed, {}, "no answer"};
  EXPECT_EQ(check_dmarc("example.com", own)[0].state, State::unknown);
  Answers parent = answers({}, "news.example.com");
  parent["_dmarc.example.com"] = {Answer::Kind::failed, {}, "no answer"};
  EXPECT_EQ(check_dmarc("news.example.com", parent)[0].state, State::unknown);
}

TEST(Dmarc, TheOrganisationIsWhereTheHighestRecordStands) {
  const auto organisation = [](auto records) {
    return dmarc_policy("mail.news.example.com", answers(records)).organisational;
  };
  using Records = std::initializer_list<std::pair<const char*, std::vector<std::string>>>;
  EXPECT_EQ(organisation(Records{}), "");
  EXPECT_EQ(organisation(Records{{"example.com", {"v=DMARC1; p=none"}}}), "example.com");
  EXPECT_EQ(organisation(Records{{"mail.news.example.com", {"v=DMARC1; p=none"}},
                                 {"example.com", {"v=DMARC1; p=none"}}}),
            "example.com");
  EXPECT_EQ(organisation(Records{{"news.example.com", {"v=DMARC1; p=none; psd=n"}},
                                 {"example.com", {"v=DMARC1; p=none"}}}),
            "news.example.com");
  EXPECT_EQ(organisation(Records{{"com", {"v=DMARC1; p=reject; psd=y"}}}), "example.com");
}

TEST(Dmarc, AlignmentIsOfTheOrganisationUnlessItIsStrict) {
  EXPECT_TRUE(aligned("news.example.com", "example.com", "example.com", false));
  EXPECT_TRUE(aligned("news.example.com", "bounce.example.com", "example.com", false));
  EXPECT_TRUE(aligned("example.com", "example.com", "", true));
  EXPECT_FALSE(aligned("news.example.com", "example.com", "example.com", true));
  EXPECT_FALSE(aligned("example.com", "example.org", "example.com", false));
  EXPECT_FALSE(aligned("example.com", "evilexample.com", "example.com", false));
  EXPECT_FALSE(aligned("news.example.com", "other.com", "", false));
  EXPECT_TRUE(aligned("news.example.com", "example.com", "", false));
}

Passes passed(const char* record, std::vector<Identity> identities) {
  return passes_dmarc(
      "news.example.com", identities,
      dmarc_policy("news.example.com", answers({{"example.com", {record}}}, "news.example.com")));
}

TEST(Dmarc, OneAlignedIdentityThatPassesIsEnough) {
  const Identity spf{false, "bounce.example.com", Passes::yes}, dkim{true, "example.com", Passes::yes};
  const Identity strange{true, "provider.example", Passes::yes}, failed{true, "news.example.com", Passes::no};
  const Identity open{true, "news.example.com", Passes::unknown};
  EXPECT_EQ(passed("v=DMARC1; p=none", {failed, spf}), Passes::yes);
  EXPECT_EQ(passed("v=DMARC1; p=none", {failed, dkim}), Passes::yes);
  EXPECT_EQ(passed("v=DMARC1; p=none", {strange, failed}), Passes::no);
  EXPECT_EQ(passed("v=DMARC1; p=none", {strange, open}), Passes::unknown);
  EXPECT_EQ(passed("v=DMARC1; p=none; aspf=s", {spf}), Passes::no);
  EXPECT_EQ(passed("v=DMARC1; p=none; aspf=s", {spf, dkim}), Passes::yes);
  EXPECT_EQ(passed("v=DMARC1; p=none; adkim=s", {dkim}), Passes::no);
  EXPECT_EQ(passed("v=DMARC1; p=none; adkim=s", {dkim, spf}), Passes::yes);
}

}  // namespace
}  // namespace relayd::dns
