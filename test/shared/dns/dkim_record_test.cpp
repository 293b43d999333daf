#include "shared/dns/dkim_record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/dns/tag_list.hpp"

namespace relayd::dns {
namespace {

using testing::HasSubstr;

const DkimKey key{"example.com", "s1", "rsa", "MIIBIjANBg=="};

std::vector<Finding> check(std::vector<std::string> records, const DkimKey& ours = key) {
  return check_dkim(ours,
                    {records.empty() ? Answer::Kind::nothing : Answer::Kind::texts, std::move(records)});
}

TEST(TagList, TagsAreReadWithoutTheWhiteSpaceAroundThem) {
  const Result<Tags> tags = parse_tags(" v = DKIM1 ;\tp=a b;n_1= ; ");
  ASSERT_TRUE(tags);
  EXPECT_EQ(find(*tags, "v"), "DKIM1");
  EXPECT_EQ(find(*tags, "p"), "a b");
  EXPECT_EQ(find(*tags, "n_1"), "");
  EXPECT_EQ(find(*tags, "P"), std::nullopt);
}

TEST(TagList, WhatIsNoTagIsRefused) {
  for (const char* text : {"v", "v=1; p", "=x", "v=1;;p=2", "1a=x", "a b=x", "p=1; p=1", ";v=1"})
    EXPECT_FALSE(parse_tags(text)) << text;
  EXPECT_TRUE(parse_tags(""));
}

TEST(DkimRecord, OursIsWell) {
  for (const char* record :
       {"v=DKIM1; k=rsa; p=MIIBIjANBg==", "p=MIIBIjANBg==", "v=DKIM1;p=MIIB IjAN\tBg==;",
        "k=rsa; p=MIIBIjANBg==", "v=DKIM1; h=sha1:sha256; s=email; t=s; n=a note; x=; p=MIIBIjANBg==",
        "v=DKIM1; s=*; p=MIIBIjANBg=="}) {
    const std::vector<Finding> findings = check({record});
    ASSERT_EQ(findings.size(), 1u) << record;
    EXPECT_EQ(findings[0].state, State::ok) << record << findings[0].text;
    EXPECT_EQ(findings[0].name, "s1._domainkey.example.com");
  }
}

struct Wrong {
  std::vector<std::string> records;
  const char* says;
};

TEST(DkimRecord, WhatKeepsSignaturesFromVerifyingIsWrong) {
  const Wrong cases[] = {
      {{}, "there is no record"},
      {{"v=DKIM1; p=MIIBIjANBg==", "v=DKIM1; p=MIIBIjANBg=="}, "there are 2 TXT records"},
      {{"v=DKIM1; k=rsa; p="}, "revoked"},
      {{"v=DKIM1; k=rsa"}, "'p=' is missing"},
      {{"v=DKIM1; k=rsa; p=AAAA"}, "that of another key"},
      {{"v=DKIM1; k=rsa; p=miibijanbg=="}, "that of another key"},
      {{"v=DKIM1; k=ed25519; p=MIIBIjANBg=="}, "of type 'ed25519', ours is 'rsa'"},
      {{"v=DKIM2; p=MIIBIjANBg=="}, "'v=DKIM2' must be"},
      {{"p=MIIBIjANBg==; v=DKIM1"}, "stand first"},
      {{"v=DKIM1; h=sha1; p=MIIBIjANBg=="}, "leaves sha256 out"},
      {{"v=DKIM1; s=tlsrpt; p=MIIBIjANBg=="}, "leaves mail out"},
      {{"v=DKIM1 p=MIIBIjANBg=="}, "'v=DKIM1 p=MIIBIjANBg==' must be"},
      {{"\"v=DKIM1; p=MIIBIjANBg==\""}, "is broken"},
      {{"v=DKIM1; p=MIIBIjANBg==; p=MIIBIjANBg=="}, "'p' is there twice"},
  };
  for (const Wrong& wrong : cases) {
    const std::vector<Finding> findings = check(wrong.records);
    ASSERT_EQ(findings.size(), 1u) << wrong.says;
    EXPECT_EQ(findings[0].state, State::wrong) << wrong.says;
    EXPECT_THAT(findings[0].text, HasSubstr(wrong.says));
    EXPECT_EQ(findings[0].needed, "v=DKIM1; k=rsa; p=MIIBIjANBg==");
  }
}

TEST(DkimRecord, WithoutATypeItIsRsa) {
  const std::vector<Finding> findings = check({"v=DKIM1; p=AAAA"}, {"example.com", "s1", "ed25519", "AAAA"});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_THAT(findings[0].text, HasSubstr("of type 'rsa', ours is 'ed25519'"));
}

TEST(DkimRecord, ATestIsTold) {
  const std::vector<Finding> findings = check({"v=DKIM1; t=s:y; p=MIIBIjANBg=="});
  ASSERT_EQ(findings.size(), 2u);
  EXPECT_EQ(findings[0].state, State::ok);
  EXPECT_EQ(findings[1].state, State::note);
  EXPECT_THAT(findings[1].text, HasSubstr("t=y"));
}

TEST(DkimRecord, WhatDnsDoesNotTellIsUnknown) {
  const std::vector<Finding> findings = check_dkim(key, {Answer::Kind::failed, {}, "no answer"});
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings[0].state, State::unknown);
  EXPECT_EQ(findings[0].text, "no answer");
}

}  // namespace
}  // namespace relayd::dns
