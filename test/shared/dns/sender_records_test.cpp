#include "shared/dns/sender_records.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::dns {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const SenderRecords needed{"news.example.com",
                           {{"example.com", "s1", "rsa", "AAAA"}},
                           {{"ses", "email.example", "ses.example"}, {"own", "mail.example", ""}}};

Answer texts(std::string record) {
  return {Answer::Kind::texts, {std::move(record)}};
}

const Answers good = {{"news.example.com", texts("v=spf1 include:ses.example ~all")},
                      {"ses.example", texts("v=spf1 ip4:192.0.2.0/24 -all")},
                      {"s1._domainkey.example.com", texts("v=DKIM1; k=rsa; p=AAAA")},
                      {"_dmarc.news.example.com", {}},
                      {"_dmarc.example.com", texts("v=DMARC1; p=reject")},
                      {"_dmarc.com", {}}};

Answers with(const char* name, Answer answer) {
  Answers changed = good;
  changed[name] = std::move(answer);
  return changed;
}

State worst(const std::vector<Finding>& findings) {
  return std::ranges::max_element(findings, {}, &Finding::state)->state;
}

TEST(SenderRecords, NamesAreAskedForUntilAllIsKnown) {
  EXPECT_THAT(names_to_ask(needed, {}),
              ElementsAre("news.example.com", "s1._domainkey.example.com", "_dmarc.news.example.com",
                          "_dmarc.example.com", "_dmarc.com"));
  Answers some = good;
  some.erase("ses.example");
  EXPECT_THAT(names_to_ask(needed, some), ElementsAre("ses.example"));
  EXPECT_THAT(names_to_ask(needed, good), IsEmpty());
}

TEST(SenderRecords, AllThatIsNeededIsWell) {
  EXPECT_EQ(worst(check_records(needed, good)), State::note);  // what 'own' needs is not known
}

TEST(SenderRecords, WhatIsMissingIsWrong) {
  for (const char* name :
       {"news.example.com", "ses.example", "s1._domainkey.example.com", "_dmarc.example.com"})
    EXPECT_EQ(worst(check_records(needed, with(name, {}))), State::wrong) << name;
}

TEST(SenderRecords, WhatDnsDoesNotTellIsUnknown) {
  const Answer failed{Answer::Kind::failed, {}, "no answer"};
  for (const char* name :
       {"news.example.com", "ses.example", "s1._domainkey.example.com", "_dmarc.example.com"})
    EXPECT_EQ(worst(check_records(needed, with(name, failed))), State::unknown) << name;
  EXPECT_EQ(worst(check_records(needed, {})), State::unknown);
}

TEST(SenderRecords, OurSignatureOrTheIncludeMakesMailPass) {
  const Answers unsigned_ = with("s1._domainkey.example.com", texts("v=DKIM1; p="));
  const auto pass = [](const Answers& answers, int way) {
    return passes_on(needed.ways[way], needed, answers);
  };
  EXPECT_EQ(pass(good, 0), Passes::yes);
  EXPECT_EQ(pass(good, 1), Passes::yes);
  EXPECT_EQ(pass(unsigned_, 0), Passes::yes);      // by SPF
  EXPECT_EQ(pass(unsigned_, 1), Passes::unknown);  // its address may be in the record
  Answers neither = unsigned_;
  neither["news.example.com"] = texts("v=spf1 -all");
  EXPECT_EQ(pass(neither, 0), Passes::no);
  const Answers strict = with("_dmarc.example.com", texts("v=DMARC1; p=reject; adkim=s"));
  EXPECT_EQ(pass(strict, 0), Passes::yes);
  EXPECT_EQ(pass(strict, 1), Passes::unknown);  // the key is the parent's
}

TEST(SenderRecords, EveryIncludeIsNamedOnce) {
  const SenderRecords several{
      "example.com", {}, {{"a", "", "x"}, {"b", "", ""}, {"c", "", "y"}, {"d", "", "x"}}};
  EXPECT_THAT(includes_of(several), ElementsAre("x", "y"));
}

}  // namespace
}  // namespace relayd::dns
