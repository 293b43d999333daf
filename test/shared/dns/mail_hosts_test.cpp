#include "shared/dns/mail_hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>

namespace relayd::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Chance chance() {
  return [random = std::make_shared<std::mt19937>(7)](std::uint32_t below) { return (*random)() % below; };
}
std::vector<ResourceRecord> mx(std::vector<std::pair<std::uint16_t, std::string>> hosts) {
  std::vector<ResourceRecord> records;
  for (auto& [preference, host] : hosts) records.push_back({preference, 0, 0, host});
  return records;
}

TEST(MailExchangers, TheMostPreferredComesFirst) {
  EXPECT_THAT(mail_exchangers(mx({{20, "b.example"}, {5, "a.example"}, {30, "c.example"}}), "", chance()),
              ElementsAre("a.example", "b.example", "c.example"));
}

TEST(MailExchangers, EqualsTakeTurnsByChance) {
  std::map<std::string, int> first;
  const Chance draws = chance();
  for (int i = 0; i < 300; ++i)
    ++first[mail_exchangers(mx({{5, "a.example"}, {5, "b.example"}, {5, "c.example"}, {9, "last.example"}}),
                            "", draws)
                .front()];
  EXPECT_EQ(first.size(), 3U);
  for (const auto& [host, times] : first) EXPECT_GT(times, 60) << host;
}

TEST(MailExchangers, OurselvesAndThoseBehindUsAreLeftOut) {
  const auto records = mx({{5, "a.example"}, {10, "us.example"}, {10, "b.example"}, {20, "c.example"}});
  EXPECT_THAT(mail_exchangers(records, "US.example", chance()), ElementsAre("a.example"));
  EXPECT_THAT(mail_exchangers(mx({{5, "us.example"}}), "us.example", chance()), IsEmpty());
}

TEST(MailExchangers, WhatNamesNoHostIsLeftOut) {
  EXPECT_THAT(mail_exchangers(mx({{5, ""},
                                  {5, "192.0.2.1"},
                                  {5, "a\\046b.example"},
                                  {5, "a b.example"},
                                  {9, "mx.example"},
                                  {9, "mx.example"}}),
                              "", chance()),
              ElementsAre("mx.example"));
}

TEST(MailExchangers, TheRootAloneTakesNoMail) {
  EXPECT_TRUE(is_null_mx(mx({{0, ""}})));
  EXPECT_FALSE(is_null_mx(mx({{0, ""}, {5, "mx.example"}})));
  EXPECT_FALSE(is_null_mx(mx({{0, "mx.example"}})));
  EXPECT_FALSE(is_null_mx({}));
}

TEST(Servers, ComeByPriorityThenByWeight) {
  std::map<std::string, int> first;
  const Chance draws = chance();
  for (int i = 0; i < 1000; ++i) {
    const auto found = servers({{9, 100, 1, "last.example"},
                                {1, 90, 1, "heavy.example"},
                                {1, 10, 1, "light.example"},
                                {1, 0, 1, "never.example"}},
                               draws);
    ASSERT_EQ(found.size(), 4U);
    EXPECT_EQ(found.back().data, "last.example");
    ++first[found.front().data];
  }
  EXPECT_GT(first["heavy.example"], 800);
  EXPECT_GT(first["light.example"], 40);
  EXPECT_LT(first["never.example"], 50);
}

TEST(Servers, AServiceThatIsNotThereHasNone) {
  EXPECT_THAT(servers({{0, 0, 0, ""}}, chance()), IsEmpty());
  EXPECT_THAT(servers({{0, 0, 0, "smtp.example"}}, chance()), IsEmpty());
}

TEST(MailHosts, AHostIsBelowADomainByWholeLabels) {
  EXPECT_TRUE(is_below("MX.example.net", "example.NET"));
  EXPECT_TRUE(is_below("example.net", "example.net"));
  EXPECT_FALSE(is_below("evilexample.net", "example.net"));
  EXPECT_FALSE(is_below("net", "example.net"));
  EXPECT_FALSE(is_below("mx.example.net.evil.example", "example.net"));
}

}  // namespace
}  // namespace relayd::dns
