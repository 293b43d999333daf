#include "rewrite/aliases_file.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace relayd::rewrite {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

using Files = std::map<std::string, std::string>;

AliasesFile parsed(std::string_view text, const Files& files = {}) {
  return parse_aliases_file(text, "aliases", [&files](const std::string& path) -> Result<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return Error{"cannot read " + path};
    return found->second;
  });
}

// "name: target, target; name: …" or the first fault with its place.
std::string read(std::string_view text, const Files& files = {}) {
  const AliasesFile file = parsed(text, files);
  if (!file.faults.empty()) {
    const AliasesFile::Fault& fault = file.faults.front();
    return fmt::format("{}:{}: {}", fault.where.file, fault.where.line, fault.text);
  }
  std::string said;
  for (const AliasesFile::Entry& entry : file.entries)
    said += fmt::format("{}{}: {}", said.empty() ? "" : "; ", entry.alias.name,
                        fmt::join(entry.alias.targets, ", "));
  return said;
}

TEST(AliasesFileTest, ALineIsANameAndItsTargets) {
  EXPECT_EQ(read("Postmaster: a@x, bob\nroot:ann@x\n"), "Postmaster: a@x, bob; root: ann@x");
  EXPECT_EQ(read("name : a@x\ntab:\ta@x"), "name: a@x; tab: a@x");
  EXPECT_EQ(read("a: b@x,\r\n"), "a: b@x");
  EXPECT_EQ(read(""), "");
  EXPECT_EQ(read("\xef\xbb\xbfgrüße: a@x"), "grüße: a@x");
}

TEST(AliasesFileTest, ALineThatBeginsWithABlankGoesOn) {
  EXPECT_EQ(read("a: b@x,\n  # a comment\n\n\tc@x\nd: e@x"), "a: b@x, c@x; d: e@x");
  EXPECT_EQ(read("a:\n b@x\n"), "a: b@x");
  EXPECT_THAT(read("# first\n b@x\n"), HasSubstr("aliases:2: a line that goes on"));
}

TEST(AliasesFileTest, NamesMayBeQuoted) {
  EXPECT_EQ(read("\"weird name\": a@x\n\"plain\": a@x\n\"a:b\": a@x\n\"a@b\": a@x"),
            "\"weird name\": a@x; plain: a@x; \"a:b\": a@x; \"a@b\": a@x");
}

TEST(AliasesFileTest, AddressesComeInEveryFormOfAHeader) {
  EXPECT_EQ(read("a: Ann Smith <a@x>, ann (the boss), \"john doe\"@x, Team: b@x, c@x;, <@r:d@x>"),
            "a: a@x, ann, \"john doe\"@x, b@x, c@x, d@x");
}

TEST(AliasesFileTest, ABackslashMakesANameFinal) {
  EXPECT_EQ(read("root: \\root, ann@x"), "root: \\root, ann@x");
  EXPECT_EQ(read("root: \\ann@x"), "root: \\ann@x");
}

TEST(AliasesFileTest, WhatRelaydCannotDoIsAnErrorWithItsLine) {
  EXPECT_THAT(read("ok: a@x\nx: |/bin/prog"), HasSubstr("aliases:2: '|/bin/prog': relayd runs no program"));
  EXPECT_THAT(read("x: \"|prog arg, y\", a@x"), HasSubstr("runs no program"));
  EXPECT_THAT(read("x: /var/mail/x"), HasSubstr("no file"));
  EXPECT_THAT(read("x: ~/x"), HasSubstr("no file"));
  EXPECT_THAT(read("x: /dev/null"), HasSubstr("discard"));
  EXPECT_THAT(read("x: a@x,\n b@x,\n /file"), HasSubstr("aliases:1: "));
}

TEST(AliasesFileTest, WhatIsMeantToBeTwoTargetsNeedsAComma) {
  for (const char* const targets :
       {"a@x b@x", "a@x; b@x", "ann # boss", "<a@x", "a@x, <>", "a@@x", "a@x (b, c@x", "\"a, b@x"})
    EXPECT_THAT(read("who: "s + targets), HasSubstr("aliases:1: ")) << targets;
}

TEST(AliasesFileTest, NamesAreLocalAndThere) {
  EXPECT_THAT(read("user@domain: a@x"), HasSubstr("local"));
  EXPECT_THAT(read("@domain: a@x"), HasSubstr("local"));
  EXPECT_THAT(read("a%b: a@x"), HasSubstr("local"));
  EXPECT_THAT(read(": a@x"), HasSubstr("without a name"));
  EXPECT_THAT(read("root (the boss): a@x"), HasSubstr("is no name"));
  EXPECT_THAT(read("empty:"), HasSubstr("stands for nobody"));
  EXPECT_THAT(read("novalue"), HasSubstr("is no 'NAME: TARGETS'"));
  EXPECT_THAT(read("a\0b: c@x"s), HasSubstr("NUL"));
  EXPECT_THAT(read("a: " + std::string(2 << 20, 'b')), HasSubstr("too long"));
}

TEST(AliasesFileTest, AListIsReadFromItsFile) {
  const Files files{{"/list", "a@x\n# comment\nb@x, :include:/more\n"}, {"/more", "c@x"}};
  EXPECT_EQ(read("team: :include:/list, z@x", files), "team: a@x, b@x, c@x, z@x");
  EXPECT_EQ(read("team: \":include:/list\"", files), "team: a@x, b@x, c@x");
  EXPECT_THAT(read("team: :include:/none", files), HasSubstr("aliases:1: cannot read /none"));
  EXPECT_THAT(read("team: :include:list", files), HasSubstr("begins with '/'"));
  EXPECT_THAT(read("team: :include:/list", {{"/list", "ok@x\n|prog"}}), HasSubstr("/list:2: '|prog'"));
}

TEST(AliasesFileTest, ListsThatIncludeEachOtherEnd) {
  EXPECT_THAT(read("a: :include:/a", {{"/a", ":include:/b"}, {"/b", ":include:/a"}}),
              HasSubstr("'/a' includes itself"));
  Files twice{{"/60", "# nobody"}};
  for (int i = 0; i < 60; ++i)
    twice[fmt::format("/{}", i)] = fmt::format(":include:/{}\n:include:/{}\n", i + 1, i + 1);
  EXPECT_THAT(read("a: :include:/0", twice), HasSubstr("more than 10000 lists"));
  Files deep;
  for (int i = 0; i < 200; ++i) deep[fmt::format("/{}", i)] = fmt::format(":include:/{}", i + 1);
  EXPECT_THAT(read("a: :include:/0", deep), HasSubstr("more than 100 lists"));
}

}  // namespace
}  // namespace relayd::rewrite
