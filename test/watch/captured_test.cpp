#include "watch/captured.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/temporary_directory.hpp"

namespace relayd::watch {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;

class Captured : public testing::Test {
 protected:
  fs::path place(const std::string& upstream) {
    const fs::path path = directory_.path() / upstream;
    fs::create_directories(path);
    return path;
  }
  std::vector<CapturedPlace> places() {
    return {{"one", place("one").string()}, {"two", place("two").string()}};
  }
  void keep(const std::string& upstream, const std::string& name, const std::string& subject = "s",
            const std::string& to = "to@b.example") {
    std::ofstream(place(upstream) / (name + ".eml")) << "Subject: " << subject << "\r\n\r\nHello.\r\n";
    std::ofstream(place(upstream) / (name + ".json"))
        << json{{"sender", "a@x.example"}, {"recipients", {to}}};
  }
  // Ids of the list, and its end.
  std::vector<std::string> ids(const CapturedQuestion& question = {}) {
    std::istringstream lines(list_captured(places(), question));
    std::vector<std::string> found;
    for (std::string line; std::getline(lines, line);) {
      end_ = json::parse(line);
      if (end_.contains("id"))
        found.push_back(end_["upstream"].get<std::string>() + "/" + end_["id"].get<std::string>());
    }
    return found;
  }

  test::TemporaryDirectory directory_;
  json end_;
};

TEST_F(Captured, NamesAreThoseOfTheSandboxAlone) {
  ASSERT_TRUE(captured_name("1j0m1q185e7"));
  EXPECT_EQ(to_string(*captured_name("1j0m1q185e7-12")), "1j0m1q185e7-12");
  for (const char* name :
       {"", ".", "..", "../1j0m1q185e7", "1j0m1q185e7-1", "1j0m1q185e7-", "1j0m1q185e7-02", "1j0m1q185e7-2/x",
        "1J0M1Q185E7", "zzzzzzzzzzz", "1j0m1q185e7-9999999", "1j0m1q185e7.eml"})
    EXPECT_FALSE(captured_name(name)) << name;
}

TEST_F(Captured, TheNewestComeFirstFromAllPlaces) {
  keep("one", "1j0m1q185e7");
  keep("two", "1j0m1q185e8");
  keep("one", "1j0m1q185e9");
  keep("one", "1j0m1q185e9-2");
  EXPECT_THAT(ids(),
              ElementsAre("one/1j0m1q185e9-2", "one/1j0m1q185e9", "two/1j0m1q185e8", "one/1j0m1q185e7"));
  EXPECT_EQ(end_["count"], 4);
  EXPECT_EQ(end_["more"], false);
  EXPECT_THAT(ids({.upstream = "two"}), ElementsAre("two/1j0m1q185e8"));
}

TEST_F(Captured, AListGoesOnBehindItsEnd) {
  for (const char c : std::string("0123456789")) keep(c % 2 ? "one" : "two", std::string("1j0m1q185e") + c);
  std::vector<std::string> all = ids(), seen;
  CapturedQuestion question{.limit = 3};
  do {
    for (const std::string& id : ids(question)) seen.push_back(id);
    question.after = end_.value("after", "");
  } while (end_["more"].get<bool>());
  EXPECT_EQ(seen, all);
  EXPECT_EQ(seen.size(), 10u);
}

TEST_F(Captured, ALargeDirectoryIsReadInParts) {
  for (std::size_t i = 0; i < most_examined + 5; ++i) {
    char id[16];
    std::snprintf(id, sizeof id, "1j0m1q%05zu", i);
    keep("one", id, i == 0 ? "the oldest" : "s");
  }
  EXPECT_THAT(ids({.query = "the oldest"}), ElementsAre()) << "so many are looked at for one answer";
  EXPECT_EQ(end_["more"], true);
  EXPECT_THAT(ids({.query = "the oldest", .after = end_["after"]}), ElementsAre("one/1j0m1q00000"));
  EXPECT_EQ(end_["more"], false);
}

TEST_F(Captured, ASearchReadsAddressesSubjectAndId) {
  keep("one", "1j0m1q185e7", "=?utf-8?q?Your_Gr=C3=BC=C3=9Fe?=");
  keep("one", "1j0m1q185e8", "other", "Ann@c.example");
  EXPECT_THAT(ids({.query = "your GRüße"}), ElementsAre("one/1j0m1q185e7"));
  EXPECT_THAT(ids({.query = "ann@"}), ElementsAre("one/1j0m1q185e8"));
  EXPECT_THAT(ids({.query = "185e8"}), ElementsAre("one/1j0m1q185e8"));
  EXPECT_EQ(ids({.query = "a@x.example"}).size(), 2u);
  EXPECT_TRUE(ids({.query = "nobody"}).empty());
}

TEST_F(Captured, WhatIsNotWholeOrIsALinkIsNotThere) {
  keep("one", "1j0m1q185e7");
  fs::remove(place("one") / "1j0m1q185e7.json");
  keep("one", "1j0m1q185e8");
  fs::remove(place("one") / "1j0m1q185e8.eml");
  keep("two", "1j0m1q185e9");
  fs::create_symlink(place("two") / "1j0m1q185e9.eml", place("one") / "1j0m1q185ea.eml");
  fs::copy_file(place("two") / "1j0m1q185e9.json", place("one") / "1j0m1q185ea.json");
  fs::create_directory(place("one") / "1j0m1q185eb.json");
  EXPECT_THAT(ids(), ElementsAre("two/1j0m1q185e9"));
  EXPECT_FALSE(open_captured(place("one").string(), {"1j0m1q185ea"}));
  EXPECT_FALSE(open_captured(place("one").string(), {"1j0m1q185eb"}));
}

TEST_F(Captured, AMessageIsReadInPieces) {
  keep("one", "1j0m1q185e7");
  const auto message = open_captured(place("one").string(), {"1j0m1q185e7"});
  ASSERT_TRUE(message);
  EXPECT_EQ(message->size, 22u);
  EXPECT_EQ(read_piece(message->file, 0, 8), "Subject:");
  EXPECT_EQ(read_piece(message->file, 14, 100), "Hello.\r\n");
  EXPECT_EQ(read_piece(message->file, 100, 10), "");
  EXPECT_LT((wall_now() - message->kept).count(), 600'000'000);
}

TEST_F(Captured, ADirectoryThatCannotBeReadIsToldOf) {
  std::ofstream(directory_.path() / "file") << "x";
  const std::string lines =
      list_captured({{"broken", (directory_.path() / "file").string()}, {"none", "/nowhere/at/all"}}, {});
  EXPECT_THAT(lines, testing::HasSubstr("\"error\":"));
  EXPECT_THAT(lines, testing::HasSubstr("\"upstream\":\"broken\""));
  EXPECT_THAT(lines, testing::Not(testing::HasSubstr("none"))) << "no mail has come there yet";
}

TEST_F(Captured, ARemovalTakesMessagesAndNothingElse) {
  for (int i = 100; i < 800; ++i) keep("one", "1j0m1q18" + std::to_string(i));
  const fs::path other = place("one") / "notes.json", coming = place("one") / "1j0m1q18900.part";
  std::ofstream(other) << "{}";
  std::ofstream(coming) << "x";
  CapturedRemoval removal(place("one").string());
  unsigned steps = 1;
  while (removal.step()) ++steps;
  EXPECT_EQ(removal.removed(), 700u);
  EXPECT_EQ(removal.fault(), "");
  EXPECT_GT(steps, 1u);
  std::vector<fs::path> left;
  for (const auto& entry : fs::directory_iterator(place("one"))) left.push_back(entry.path());
  EXPECT_THAT(left, testing::UnorderedElementsAre(other, coming));
}

}  // namespace
}  // namespace relayd::watch
