#include "relay/tables.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace relayd
