// The rows of replies, of providers and of everybody: what is documented, at each stage where it is said. The
// replies are in test/providers/*.txt and in general.txt here.
#include "settle/rows.hpp"

#include <gtest/gtest.h>

#include <set>

#include "providers/fixture.hpp"
#include "providers/provider.hpp"
#include "settle/verdict.hpp"

namespace relayd::settle {
namespace {

using test::all_told;
using test::Told;

TEST(Rows, SayWhatTheReplyMeans) {
  ASSERT_GT(all_told().size(), 300u);
  for (const Told& told : all_told()) {
    SCOPED_TRACE(told.where);
    if (told.id) continue;
    const Verdict verdict = judge(told.stage, told.reply, told.provider);
    EXPECT_EQ(to_string(verdict.reply_class), to_string(told.reply_class));
    EXPECT_EQ(verdict.at_once, told.extra.at_once);
    if (told.reply_class != ReplyClass::conn) {
      EXPECT_EQ(to_string(verdict.cap), to_string(told.extra.cap));
    }
    EXPECT_EQ(verdict.wait, told.extra.wait);
    EXPECT_TRUE(!verdict.at_once || verdict.scope == Scope::connection);
    EXPECT_TRUE(!told.extra.all_accounts || verdict.scope == Scope::upstream);
  }
}

// The rows that decide a reply of this provider, which the rows after them would get wrong.
std::set<const providers::ReplyRow*> rows_that_matter(std::string_view provider) {
  std::set<const providers::ReplyRow*> matter;
  for (const Told& told : all_told()) {
    if (told.provider != provider) continue;
    const std::vector<FittingRow> fitting = fitting_rows(told.stage, told.reply, provider);
    if (fitting.size() == 1 || fitting[1].verdict != fitting[0].verdict) matter.insert(fitting[0].row);
  }
  return matter;
}

// No provider has a row by accident: each is held to a reply of its own.
TEST(Rows, EachOfAProviderMatters) {
  for (const providers::Provider& provider : providers::all()) {
    const auto matter = rows_that_matter(provider.name);
    for (const providers::ReplyRow& row : provider.replies)
      EXPECT_TRUE(matter.contains(&row))
          << provider.name << ", row " << &row - provider.replies.data() << " has no reply of its own";
  }
}

TEST(Rows, EachOfEverybodyMatters) {
  std::set<const providers::ReplyRow*> matter;
  for (const Told& told : all_told()) matter.merge(rows_that_matter(told.provider));
  for (const providers::ReplyRow& row : general_rows())
    EXPECT_TRUE(matter.contains(&row))
        << "row " << &row - general_rows().data() << " has no reply of its own";
}

TEST(Rows, OfAProviderAreItsOwn) {
  for (const Told& told : all_told())
    EXPECT_EQ(judge(told.stage, told.reply, "other"), judge(told.stage, told.reply)) << told.where;
}

}  // namespace
}  // namespace relayd::settle
