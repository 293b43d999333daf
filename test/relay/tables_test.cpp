#include "relay/tables.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "relay/setup.hpp"
#include "shared/config/test_config.hpp"

namespace relayd {
namespace {

using config::Folder;

struct TablesTest : testing::Test {
  TablesResult make() { return make_tables(config_); }
  std::string told() { return config::lines(make().errors); }

  Folder folder_;
  config::Config config_ = [] {
    config::Config config;
    config.file = "test.yaml";
    return config;
  }();
};

TEST_F(TablesTest, EachIsReadByTheSyntaxOfItsFile) {
  config_.tables = {{"plain", folder_.write("generic", "A@x  b@y\n"), "", {}},
                    {"csv", folder_.write("rows.csv", "a@x,c@y\n"), "", {}},
                    {"patterns", "", folder_.write("patterns", "/^(.*)@x$/ $1@z\n"), {}}};
  const TablesResult made = make();
  EXPECT_EQ(told(), "");
  EXPECT_EQ(made.tables->find("plain", "a@X"), "b@y");
  EXPECT_EQ(made.tables->find("csv", "a@x"), "c@y");
  EXPECT_EQ(made.tables->find("patterns", "a@x"), "a@z");
  EXPECT_EQ(made.tables->find("patterns", "a@y"), std::nullopt);
  EXPECT_EQ(made.tables->find("none", "a@x"), std::nullopt);
  EXPECT_EQ(made.tables->table("none"), nullptr);
}

TEST_F(TablesTest, FaultsHaveTheirFileAndLine) {
  const std::string file = folder_.write("generic", "a\n\nb\n");
  config_.tables = {{"plain", file, "", {}}, {"away", folder_.path() / "none", "", {7, 3}}};
  EXPECT_EQ(told(), fmt::format("{0}:1:1: 'a' has no value\n{0}:3:1: 'b' has no value\n"
                                "test.yaml:7:3: cannot read {1}/none: No such file or directory\n",
                                file, folder_.path().string()));
}

TEST_F(TablesTest, AFileThatOthersMayWriteIsRefused) {
  config_.tables = {{"plain", folder_.write("generic", "a b\n", 0666), "", {2, 1}}};
  EXPECT_EQ(told().find("test.yaml:2:1: others may write"), 0u);
}

TEST_F(TablesTest, OfManyFaultsAHundredAreTold) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "x\n";
  config_.tables = {{"plain", folder_.write("generic", text), "", {}}};
  EXPECT_EQ(make().errors.size(), 101u);
  EXPECT_NE(told().find("100 faults: the rest is not read"), std::string::npos);
}

// --- values -----------------------------------------------------------------------------------------------

struct ValuesTest : TablesTest {
  std::string faults() { return config::lines(check_values(config_, *make().tables)); }
  // The complaints about aliases, or nothing.
  std::string faults_of_aliases() { return config::lines(make_aliases(config_, make().tables).errors); }
  std::string becomes(std::string_view address) {
    const auto targets = make_aliases(config_, make().tables).aliases->expand(address);
    return targets ? fmt::format("{}", fmt::join(*targets, " ")) : "endless";
  }
};

TEST_F(ValuesTest, AVerdictIsAWordThatIsWrittenOut) {
  const std::string rows = folder_.write("rows", "a@x Reject\nc@x OK\n\nb@x hold on\n");
  const std::string patterns = folder_.write("patterns", "/a/ DISCARD\n/(accept)/ $1\n");
  config_.tables = {{"rows", rows, "", {}}, {"patterns", "", patterns, {}}};
  config_.access.senders = {{"", "rows", {}}};
  config_.access.recipients = {{"", "patterns", {}}, {"", "rows", {}}};
  EXPECT_EQ(faults(), fmt::format("{0}:2:1: 'OK' is not one of accept, reject, discard and hold\n"
                                  "{0}:4:1: 'hold on' is not one of accept, reject, discard and hold\n"
                                  "{1}:2:1: a verdict is a word that is written out: no group of the pattern "
                                  "can stand for it\n",
                                  rows, patterns));
}

TEST_F(ValuesTest, CopiesGoToAddresses) {
  const std::string rows = folder_.write("rows", "a@x b@y, c@z\nb@x root\nc@x a@b c@d\n");
  const std::string patterns = folder_.write("patterns", "/^(.*)@x/ $1@y\n/b/ nobody\n");
  config_.tables = {{"rows", rows, "", {}}, {"patterns", "", patterns, {}}};
  config::Bcc by_rows, by_patterns;
  by_rows.table = "rows";
  by_patterns.table = "patterns";
  config_.bcc = {by_rows, by_patterns};
  const std::string told = faults();
  EXPECT_NE(told.find(rows + ":2:1: 'root' is no address with its domain\n"), std::string::npos) << told;
  EXPECT_NE(told.find(rows + ":3:1: "), std::string::npos) << told;
  EXPECT_NE(told.find("with a comma between them"), std::string::npos) << told;
  EXPECT_NE(told.find(patterns + ":2:1: 'nobody' is no address with its domain\n"), std::string::npos)
      << told;
}

TEST_F(ValuesTest, RowsOfATableAreAliasesBehindThoseOfTheConfigurationAndItsFile) {
  config_.origin = config_.hostname = "o.example";
  config_.aliases = {{"one", {"first@x"}, {}}};
  config_.aliases_file = folder_.write("aliases", "one: second@x\ntwo: second@x\n");
  config_.aliases_table = "rows";
  config_.tables = {{"rows",
                     folder_.write("rows",
                                   "one third@x\nTWO third@x\nthree@o.example one, Third@x\n"
                                   "@old.example @new.example\n"),
                     "",
                     {}}};
  EXPECT_EQ(faults_of_aliases(), "");
  EXPECT_EQ(becomes("one@o.example"), "first@x");
  EXPECT_EQ(becomes("two@o.example"), "second@x");
  EXPECT_EQ(becomes("Three@o.example"), "first@x Third@x");
  EXPECT_EQ(becomes("U+t@old.example"), "U+t@new.example");
}

TEST_F(ValuesTest, PatternsAreAskedAndKeepTheCaseOfTheLocalPart) {
  config_.origin = config_.hostname = "o.example";
  config_.aliases = {{"Ann@old.example", {"ann@x"}, {}}};
  config_.aliases_table = "patterns";
  const std::string file = folder_.write(
      "patterns",
      "/^(.*)@old.example$/ $1@new.example, log\n/^(.*)@wrong.example$/ $1 $1\n/^(u.*)@x$/ v$1@x\n");
  config_.tables = {{"patterns", "", file, {}}};
  EXPECT_EQ(faults_of_aliases(), "");
  EXPECT_EQ(becomes("ann@old.example"), "ann@x");
  EXPECT_EQ(becomes("Bob+T@Old.example"), "Bob+T@new.example log@o.example");
  EXPECT_EQ(becomes("bob@wrong.example"), "endless");
  EXPECT_EQ(becomes("U@x"), "vU@x");
}

TEST_F(ValuesTest, FaultsOfAliasesInATableHaveTheirLines) {
  config_.origin = config_.hostname = "o.example";
  config_.aliases_table = "rows";
  const std::string rows = folder_.write("rows", "a b\nb a\n");
  config_.tables = {{"rows", rows, "", {}}};
  EXPECT_EQ(faults_of_aliases(), rows + ":2:1: 'a' leads back to itself by 'b' (line 1)\n");
  config_.aliases = {{"a", {"b"}, {7, 3}}};
  EXPECT_EQ(faults_of_aliases(), rows + ":2:1: 'a' leads back to itself by 'b' (line 7 of test.yaml)\n");
  config_.aliases = {{"a", {"c"}, {7, 3}}, {"A", {"c"}, {9, 3}}};
  EXPECT_EQ(faults_of_aliases(), "test.yaml:9:3: 'A' is there twice (line 7)\n");
  config_.aliases.clear();
  folder_.write("rows", "a b@x c@x\nb |prog\n@c \\root@x\nd \\@x\n");
  const std::string told = faults_of_aliases();
  for (const int line : {1, 2, 4})
    EXPECT_NE(told.find(fmt::format("{}:{}:1: ", rows, line)), std::string::npos) << told;
  EXPECT_EQ(std::ranges::count(told, '\n'), 3) << told;
  config_.tables = {{"rows", "", folder_.write("patterns", "/a/ @b@c\n/b/ $$ x\n"), {}}};
  EXPECT_NE(faults_of_aliases().find("patterns:1:1: '@b@c' is no address, name or @domain"),
            std::string::npos)
      << faults_of_aliases();
}

TEST_F(ValuesTest, OfAFileOfAnotherKindNotEveryLineIsTold) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += fmt::format("k{} a b\n", i);
  config_.tables = {{"rows", folder_.write("rows", text), "", {}}};
  config_.access.senders = {{"", "rows", {}}};
  config_.aliases_table = "rows";
  EXPECT_EQ(check_values(config_, *make().tables).size(), 101u);
  EXPECT_EQ(make_aliases(config_, make().tables).errors.size(), 1000u);
}

}  // namespace
}  // namespace relayd
