#include "shared/mail/mailbox_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> list(std::string_view text) {
  const Result<std::vector<std::string>> found = mailbox_list(text);
  EXPECT_TRUE(found) << (found ? "" : found.error());
  return found ? *found : std::vector<std::string>();
}

TEST(MailboxList, AddressesComeInOrder) {
  EXPECT_THAT(list("a@b.example"), ElementsAre("a@b.example"));
  EXPECT_THAT(list(" a@b.example , root,<c@d.example>"), ElementsAre("a@b.example", "root", "c@d.example"));
}

TEST(MailboxList, CommasInQuotesCommentsAndBracketsSeparateNothing) {
  EXPECT_THAT(list("\"Doe, J\" <a@b.example>"), ElementsAre("a@b.example"));
  EXPECT_THAT(list("\"a\\\", b\" <a@b.example>, (x, (y, z)) c@d.example"),
              ElementsAre("a@b.example", "c@d.example"));
  EXPECT_THAT(list("\"a,b\"@c.example"), ElementsAre("\"a,b\"@c.example"));
  EXPECT_THAT(list("<@one.example,@two.example:a@b.example>"), ElementsAre("a@b.example"));
}

TEST(MailboxList, GroupsAreTheirMembers) {
  EXPECT_THAT(list("friends: a@b.example, Bob <c@d.example>; e@f.example"),
              ElementsAre("a@b.example", "c@d.example", "e@f.example"));
  EXPECT_THAT(list("undisclosed-recipients:;"), IsEmpty());
}

TEST(MailboxList, EmptyMembersCountForNothing) {
  EXPECT_THAT(list(""), IsEmpty());
  EXPECT_THAT(list(" , ,, (nobody) ,"), IsEmpty());
}

TEST(MailboxList, AMemberThatIsNoAddressIsAnErrorThatQuotesIt) {
  for (const char* wrong : {"a b c", "<a@b.example", "<>", "-C/x", "a@b.example, <c@@d>", "\"open"}) {
    const Result<std::vector<std::string>> found = mailbox_list(wrong);
    EXPECT_FALSE(found) << wrong;
  }
  EXPECT_THAT(mailbox_list("a@b.example, no good").error(), HasSubstr("'no good'"));
}

}  // namespace
}  // namespace relayd::mail
