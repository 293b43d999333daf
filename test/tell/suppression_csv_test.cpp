// The list of suppressed recipients as comma-separated values.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tell/suppression.hpp"

namespace relayd::tell {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Second noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 20) + 12h;
constexpr RowDefaults defaults{noon, 24h};

// "LINE:COLUMN text" of each fault.
std::vector<std::string> faults(std::string_view text) {
  std::vector<std::string> said;
  for (const table::Fault& fault : parse_suppressions(text, defaults).faults)
    said.push_back(fmt::format("{}:{} {}", fault.line, fault.column, fault.text));
  return said;
}

TEST(SuppressionRows, AreReadAsTheyWereWritten) {
  const std::vector<Suppression> entries = {
      {"ann@x.example", "one.example", noon, noon + 1h, "550 5.1.1 No such user"},
      {"\"a, b\"@x.example", "", noon - 24h, noon + 24h * 3000, "\"quoted\", and more"},
      {"\xc3\xa4@x.example", "", noon, noon, " "},
  };
  std::string text = std::string(suppression_columns) + "\n";
  for (const Suppression& entry : entries) append_row(text, entry);
  EXPECT_EQ(std::ranges::count(text, '\n'), 4);
  const SuppressionRows read = parse_suppressions(text, defaults);
  EXPECT_TRUE(read.faults.empty());
  EXPECT_EQ(read.rows, entries);
  std::string row;
  append_row(row, entries[1]);
  EXPECT_EQ(
      row,
      "\"\"\"a, b\"\"@x.example\",,2026-11-19T12:00:00Z,2035-02-06T12:00:00Z,\"\"\"quoted\"\", and more\"\n");
  EXPECT_EQ(*parse_row(row, {}), entries[1]);
}

TEST(SuppressionRows, NeedOnlyTheAddress) {
  const SuppressionRows read =
      parse_suppressions("\xef\xbb\xbfReason,ADDRESS\r\n\r\n,Ann@X.example\r\n", defaults);
  ASSERT_EQ(read.rows.size(), 1U);
  EXPECT_EQ(read.rows[0], (Suppression{"ann@x.example", "", noon, noon + 24h, ""}));
}

TEST(SuppressionRows, EndAfterTheyBegin) {
  const SuppressionRows read = parse_suppressions("address,since\nann@x.example,2026-11-01\n", defaults);
  ASSERT_EQ(read.rows.size(), 1U);
  EXPECT_EQ(read.rows[0].until - read.rows[0].since, 24h);
}

TEST(SuppressionRows, HaveTheirFaultsNamedByPlace) {
  EXPECT_THAT(faults(""), ElementsAre("1:1 the text is empty: its first row names the columns"));
  EXPECT_THAT(faults("ann@x.example\n"),
              ElementsAre("1:1 no column 'ann@x.example': they are address, sender, since, until, reason"));
  EXPECT_THAT(faults("sender,reason\n"),
              ElementsAre("1:1 the first row names the columns, and has no 'address'"));
  EXPECT_THAT(faults("address,address\n"), ElementsAre("1:9 the column 'address' is there twice"));
  EXPECT_THAT(faults("address,until\nann@x.example,soon\nx,\n\nben@x.example\ncarl@x.example,2026-02-30\n"
                     "\"dan@x.example\nemil@x.example,\n"),
              ElementsAre("2:15 'soon' is no time such as 2026-11-20 or 2026-11-20T07:31:42Z",
                          "3:1 'x' is no address such as ann@example.com",
                          "5:1 a row of 1 field: there are 2 columns",
                          "6:16 '2026-02-30' is no time such as 2026-11-20 or 2026-11-20T07:31:42Z",
                          HasSubstr("7:1 a quote that is not closed")));
}

TEST(SuppressionRows, SayTimesInOneForm) {
  EXPECT_EQ(to_text(noon), "2026-11-20T12:00:00Z");
  EXPECT_EQ(*parse_second("2026-11-20T12:00:00Z"), noon);
  EXPECT_EQ(*parse_second("2026-11-20"), noon - 12h);
  EXPECT_EQ(*parse_second("1970-01-01T00:00:00Z"), Second());
  for (const char* const bad :
       {"", "2026", "2026-11-20T", "2026-11-20T12:00:00", "2026-11-20 12:00:00Z", "2026-11-20T24:00:00Z",
        "2026-13-01", "1969-12-31", "9999-01-01", "+026-11-20", "2026-11-20T12:00:00Zx", "2026-11-2"})
    EXPECT_FALSE(parse_second(bad)) << bad;
}

}  // namespace
}  // namespace relayd::tell
