#include "rewrite/aliases.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace relayd::rewrite {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using List = std::vector<std::string>;

Aliases aliases(std::vector<Alias> list) {
  return {std::move(list), {"o.example", "mail.o.example"}};
}

// What an address becomes; "endless" where there is no end.
List becomes(const Aliases& table, std::string_view address) {
  return table.expand(address).value_or(List{"endless"});
}

std::string fault(std::vector<Alias> list) {
  const Aliases table = aliases(std::move(list));
  return table.faults().empty() ? "" : table.faults().front().text;
}

TEST(AliasesTest, WhatHasNoAliasStaysAsItIs) {
  EXPECT_THAT(becomes(Aliases(), "Ann@X.example"), ElementsAre("Ann@X.example"));
  EXPECT_THAT(becomes(aliases({{"root", {"ops@x.example"}}}), "root@other.example"),
              ElementsAre("root@other.example"));
}

TEST(AliasesTest, ANameIsThatOfEachLocalDomainInAnyCase) {
  const Aliases table = aliases({{"root", {"ops@x.example"}}});
  for (const char* const address :
       {"root@o.example", "Root@O.example", "root@mail.o.example", "root@o.example."})
    EXPECT_THAT(becomes(table, address), ElementsAre("ops@x.example")) << address;
}

TEST(AliasesTest, ATargetIsLookedUpAgainToTheEnd) {
  const Aliases table = aliases({{"root", {"admin", "log@x.example"}}, {"admin", {"Ann@x.example", "bob"}}});
  EXPECT_THAT(becomes(table, "root@o.example"),
              ElementsAre("Ann@x.example", "bob@o.example", "log@x.example"));
}

TEST(AliasesTest, ANameAmongItsOwnTargetsIsFinalThere) {
  EXPECT_THAT(becomes(aliases({{"root", {"root", "ann"}}}), "root@o.example"),
              ElementsAre("root@o.example", "ann@o.example"));
  EXPECT_THAT(becomes(aliases({{"root", {"\\root", "ann@x"}}, {"ann@x", {"bob@x"}}}), "Root@o.example"),
              ElementsAre("root@o.example", "bob@x"));
  EXPECT_THAT(becomes(aliases({{"root", {"\\ann"}}, {"ann", {"x@y"}}}), "root@o.example"),
              ElementsAre("ann@o.example"));
}

TEST(AliasesTest, TheMostSpecificNameCounts) {
  const Aliases table = aliases({{"ann+news", {"n@x"}},
                                 {"ann", {"smith@x"}},
                                 {"ann@mail.o.example", {"mail@x"}},
                                 {"@mail.o.example", {"rest@x"}},
                                 {"ann+a@o.example", {"a@x"}}});
  EXPECT_THAT(becomes(table, "ann+news@o.example"), ElementsAre("n@x"));
  EXPECT_THAT(becomes(table, "ann+a@o.example"), ElementsAre("a@x"));
  EXPECT_THAT(becomes(table, "ann@mail.o.example"), ElementsAre("mail@x"));
  EXPECT_THAT(becomes(table, "ANN+t@mail.o.example"), ElementsAre("mail+t@x"));
  EXPECT_THAT(becomes(table, "bob@mail.o.example"), ElementsAre("rest@x"));
}

TEST(AliasesTest, AnAddressHasOneKeyInAllItsSpellings) {
  const Aliases table = aliases({{"Ann.Smith", {"Ann@x"}},
                                 {"\"weird name\"", {"weird@x"}},
                                 {"bob@b\xc3\xbc\x63her.example", {"Bob@B\xc3\xbc\x63her.example"}},
                                 {"@xn--mller-kva.example", {"@m.example"}}});
  EXPECT_THAT(becomes(table, "\"ann.smith\"@O.example"), ElementsAre("Ann@x"));
  EXPECT_THAT(becomes(table, "\"ann.smith+Tag\"@o.example"), ElementsAre("Ann+Tag@x"));
  EXPECT_THAT(becomes(table, "\"Weird\\ Name\"@o.example"), ElementsAre("weird@x"));
  EXPECT_THAT(becomes(table, "BOB@xn--bcher-kva.example"), ElementsAre("Bob@B\xc3\xbc\x63her.example"))
      << "what is sent keeps its spelling, and is the same address";
  EXPECT_THAT(becomes(table, "\"U.v\"@m\xc3\xbcller.example"), ElementsAre("\"U.v\"@m.example"));
  EXPECT_EQ(fault({{"\"ann\"", {"x@y"}}, {"Ann", {"z@y"}}}), "'Ann' is there twice");
  EXPECT_THAT(
      becomes(Aliases({{"root", {"ops@x"}}}, {"b\xc3\xbc\x63her.example"}), "root@xn--bcher-kva.example"),
      ElementsAre("ops@x"));
}

// --- a table that is asked --------------------------------------------------------------------------------

// What these keys stand for; the keys that were asked are kept.
struct Asked {
  std::map<std::string, List> rows;
  List keys = {};

  Aliases with(std::vector<Alias> list = {}) {
    return {std::move(list), {"o.example", "mail.o.example"}, [this](std::string_view key) {
              keys.emplace_back(key);
              const auto row = rows.find(std::string(key));
              return row == rows.end() ? std::nullopt : std::optional(row->second);
            }};
  }
};

TEST(AliasesTest, ATableIsAskedForEachKeyBehindTheAliases) {
  Asked table{{{"Ann@x.example", {"bob"}}, {"eve@x.example", {"no@x.example"}}}};
  const Aliases aliases =
      table.with({{"eve@x.example", {"eve@z.example"}}, {"@x.example", {"rest@z.example"}}});
  EXPECT_FALSE(aliases.empty());
  EXPECT_THAT(becomes(aliases, "Eve@x.example"), ElementsAre("eve@z.example"));
  EXPECT_THAT(becomes(aliases, "Ann+T@x.example"), ElementsAre("bob+T@o.example"));
  EXPECT_THAT(becomes(aliases, "carl@x.example"), ElementsAre("rest@z.example"));
  table.keys.clear();
  EXPECT_THAT(becomes(aliases, "\"U+t\"@O.example"), ElementsAre("\"U+t\"@O.example"));
  EXPECT_THAT(table.keys, ElementsAre("U+t@o.example", "U@o.example", "U+t", "U", "@o.example"));
}

TEST(AliasesTest, ATableTellsItsKeyOnTheWay) {
  Asked table{{{"ann@x.example", {"bob"}}}};
  std::string steps;
  table.with({{"bob", {"carl@y.example"}}})
      .expand("ann@x.example",
              [&](std::string_view address, std::optional<std::size_t> alias, std::string_view key) {
                steps += fmt::format("{}:{}:{} ", address, alias ? "alias" : "table", key);
              });
  EXPECT_EQ(steps, "ann@x.example:table:ann@x.example bob@o.example:alias: ");
}

TEST(AliasesTest, AValueThatNamesNoAddressIsNoHalfExpansion) {
  Asked table{{{"ann@x.example", {"bob@y.example", "no address"}},
               {"eve@x.example", {}},
               {"@d.example", {"\\@e.example"}}}};
  const Aliases aliases = table.with({{"team", {"carl@y.example", "ann@x.example"}}});
  for (const char* const address : {"ann@x.example", "eve@x.example", "team"})
    EXPECT_THAT(becomes(aliases, address), ElementsAre("endless")) << address;
}

TEST(AliasesTest, ATableThatAnswersWithoutEndIsNoExpansion) {
  const Aliases longer({}, {"o.example"}, [](std::string_view key) {
    return key.starts_with('@') ? std::nullopt : std::optional(List{"x" + std::string(key)});
  });
  EXPECT_THAT(becomes(longer, "u@x.example"), ElementsAre("endless"));
  const Aliases more({}, {"o.example"}, [](std::string_view key) {
    return key.starts_with('@') ? std::nullopt
                                : std::optional(List{"a" + std::string(key), "b" + std::string(key)});
  });
  EXPECT_THAT(becomes(more, "u@x.example"), ElementsAre("endless"));
  Asked circle{{{"a@x.example", {"b@x.example"}}, {"b@x.example", {"a@x.example"}}}};
  EXPECT_THAT(becomes(circle.with(), "a@x.example"), ElementsAre("endless"));
}

TEST(AliasesTest, AnExtensionGoesToTheTarget) {
  const Aliases table = aliases({{"ann", {"smith@x", "\"john doe\"@x"}}});
  EXPECT_THAT(becomes(table, "ann+a+b@o.example"), ElementsAre("smith+a+b@x", "\"john doe\"@x"));
  EXPECT_THAT(becomes(table, "+ann@o.example"), ElementsAre("+ann@o.example"));
}

TEST(AliasesTest, ADomainBecomesAnotherWithTheLocalPartKept) {
  const Aliases table = aliases({{"@old.example", {"@new.example"}}, {"ann@old.example", {"x@y"}}});
  EXPECT_THAT(becomes(table, "Bob+t@OLD.example"), ElementsAre("Bob+t@new.example"));
  EXPECT_THAT(becomes(table, "ANN@Old.Example"), ElementsAre("x@y"));
  EXPECT_THAT(becomes(table, "\"a b\"@old.example"), ElementsAre("\"a b\"@new.example"));
  EXPECT_THAT(becomes(aliases({{"@old.example", {"@new.example", "@third.example"}}}), "u@old.example"),
              ElementsAre("u@new.example", "u@third.example"));
  EXPECT_THAT(becomes(aliases({{"@a.example", {"all@a.example"}}}), "u@a.example"),
              ElementsAre("all@a.example"));
}

TEST(AliasesTest, EachMailboxComesOnce) {
  const Aliases table = aliases({{"list", {"ann@x", "ANN@X", "ann@X", "other"}}, {"other", {"ann@x"}}});
  EXPECT_THAT(becomes(table, "list@o.example"), ElementsAre("ann@x", "ANN@X"));
}

TEST(AliasesTest, CirclesAreFoundBeforeAnythingIsAsked) {
  EXPECT_THAT(fault({{"a", {"b"}}, {"b", {"a"}}}), HasSubstr("'a' leads back to itself by 'b'"));
  EXPECT_THAT(fault({{"team", {"ann"}}, {"ann", {"team", "bob"}}}), HasSubstr("'team' leads back"));
  EXPECT_THAT(fault({{"@a.example", {"@b.example"}}, {"@b.example", {"@a.example"}}}),
              HasSubstr("leads back"));
  EXPECT_THAT(fault({{"ann", {"ann+x"}}}), HasSubstr("leads back"));
  EXPECT_THAT(fault({{"a", {"x@b.example"}}, {"@b.example", {"a"}}}), HasSubstr("leads back"));
  EXPECT_EQ(fault({{"a", {"b"}}, {"b", {"c"}}, {"c", {"\\a"}}}), "");
}

TEST(AliasesTest, WhatIsNoAliasIsFound) {
  for (const List& targets :
       {List{}, List{""}, List{"<>"}, List{"@"}, List{"a b"}, List{"a@x, b@x"}, List{"-f@x"}, List{"|prog"},
        List{"/dev/null"}, List{"~/mbox"}, List{":include:/x"}, List{"a@b@"}})
    EXPECT_NE(fault({{"x", targets}}), "");
  for (const char* const name : {"", "@", "a b", "@a b", "a@"})
    EXPECT_NE(fault({{name, {"a@x"}}}), "") << name;
  EXPECT_THAT(fault({{"dup", {"a@x"}}, {"DUP", {"b@x"}}}), HasSubstr("'DUP' is there twice"));
  EXPECT_THAT(fault({{"x", List(1001, "a@x")}}), HasSubstr("more than 1000"));
}

TEST(AliasesTest, AnExpansionIsBounded) {
  std::vector<Alias> chain;
  for (int i = 0; i < 20'000; ++i) chain.push_back({"n" + std::to_string(i), {"n" + std::to_string(i + 1)}});
  const Aliases long_chain = aliases(chain);
  EXPECT_THAT(long_chain.faults(), IsEmpty());
  EXPECT_THAT(becomes(long_chain, "n0@o.example"), ElementsAre("endless"));
  EXPECT_THAT(becomes(long_chain, "n19500@o.example"), ElementsAre("n20000@o.example"));

  std::vector<Alias> tree;  // 10 * 10 * 11
  for (int i = 0; i < 10; ++i) tree.push_back({"b" + std::to_string(i), {}});
  Alias top{"top", {}};
  for (int i = 0; i < 10; ++i) {
    top.targets.push_back("b" + std::to_string(i));
    for (int j = 0; j < 110; ++j) tree[i].targets.push_back(std::to_string(i * 110 + j) + "@x");
  }
  tree.push_back(top);
  EXPECT_THAT(becomes(aliases(tree), "top@o.example"), ElementsAre("endless"));
  tree[9].targets.resize(10);
  EXPECT_EQ(becomes(aliases(tree), "top@o.example").size(), 1000u);
}

TEST(AliasesTest, ListsThatHaveListsInCommonAreReadOnce) {
  std::vector<Alias> list;  // 2^40 ways from the first to the last
  for (int i = 0; i < 40; ++i)
    for (const char* const name : {"l", "m"})
      list.push_back({name + std::to_string(i), {"l" + std::to_string(i + 1), "m" + std::to_string(i + 1)}});
  list.push_back({"l40", {"z@x"}});
  list.push_back({"m40", {"z@x", "y@x"}});
  EXPECT_THAT(becomes(aliases(list), "l0@o.example"), ElementsAre("z@x", "y@x"));
}

TEST(AliasesTest, ADomainThatStandsForItsOwnAddressesEnds) {
  const Aliases catch_all = aliases({{"@o.example", {"ann@o.example", "bob@o.example"}}});
  EXPECT_THAT(becomes(catch_all, "x@o.example"), ElementsAre("ann@o.example", "bob@o.example"));
  EXPECT_THAT(becomes(aliases({{"root", {"root@o.example", "root@mail.o.example"}}}), "root@o.example"),
              ElementsAre("root@o.example", "root@mail.o.example"));
  EXPECT_THAT(
      becomes(aliases({{"@a.example", {"@b.example"}}, {"u@b.example", {"u@a.example"}}}), "u@a.example"),
      ElementsAre("endless"));
}

TEST(AliasesTest, EachStepIsTold) {
  const Aliases table = aliases({{"root", {"admin"}}, {"admin", {"ann@x"}}});
  List steps;
  table.expand("Root@o.example",
               [&](std::string_view address, std::optional<std::size_t> alias, std::string_view) {
                 steps.push_back(std::string(address) + " " + table[*alias].name);
               });
  EXPECT_THAT(steps, ElementsAre("Root@o.example root", "admin@o.example admin"));
}

// --- notifications (RFC 3461 5.2.7)
// ---------------------------------------------------------------------------

TEST(StandInsTest, OneInheritsEverything) {
  const auto made = stand_ins({"root@o.example", "SUCCESS,DELAY", "rfc822;x"}, {{"ann@x", ""}});
  ASSERT_EQ(made.size(), 1u);
  EXPECT_EQ(made[0].address, "ann@x");
  EXPECT_EQ(made[0].notify, "SUCCESS,DELAY");
  EXPECT_EQ(made[0].original_recipient, "rfc822;x");
}

TEST(StandInsTest, SeveralTellOfNoSuccess) {
  const auto notify = [](const char* asked) {
    return stand_ins({"root@o.example", asked, ""}, {{"a@x", ""}, {"b@x", ""}}).back().notify;
  };
  EXPECT_EQ(notify("SUCCESS"), "NEVER");
  EXPECT_EQ(notify("DELAY,SUCCESS,FAILURE"), "FAILURE,DELAY");
  EXPECT_EQ(notify("FAILURE"), "FAILURE");
  EXPECT_EQ(notify("NEVER"), "NEVER");
  EXPECT_EQ(notify(""), "");
}

TEST(StandInsTest, TheAddressThatWasGivenIsKept) {
  EXPECT_EQ(stand_ins({"a+b@o.example", "", ""}, {{"x@y", ""}})[0].original_recipient,
            "rfc822;a+2Bb@o.example");
  EXPECT_EQ(stand_ins({"b\u00fc+\\@o.example", "", ""}, {{"x@y", ""}})[0].original_recipient,
            "utf-8;b\\x{FC}\\x{2B}\\x{5C}@o.example");
}

TEST(StandInsTest, MembersOfAListInheritNothing) {
  const auto made = stand_ins({"list@o.example", "SUCCESS", "rfc822;x"}, {{"ann@x", "owner-list@o.example"}});
  EXPECT_EQ(made[0].notify + made[0].original_recipient, "");
  EXPECT_EQ(made[0].owner, "owner-list@o.example");
}

// Each target with its owner, "ann@x<owner-list@o.example".
List owned(const Aliases& table, std::string_view address) {
  List result;
  for (const Aliases::Target& target : table.targets(address).value_or(std::vector<Aliases::Target>()))
    result.push_back(target.owner.empty() ? target.address : target.address + "<" + target.owner);
  return result;
}

TEST(OwnersTest, AnAliasBesideItMakesAList) {
  const Aliases table =
      aliases({{"list", {"ann@x", "bob@x"}}, {"Owner-List", {"boss@x"}}, {"plain", {"ann@x"}}});
  EXPECT_THAT(owned(table, "LIST"), ElementsAre("ann@x<Owner-List@o.example", "bob@x<Owner-List@o.example"));
  EXPECT_THAT(owned(table, "list+a@mail.o.example"),
              ElementsAre("ann+a@x<Owner-List@o.example", "bob+a@x<Owner-List@o.example"));
  EXPECT_THAT(owned(table, "plain"), ElementsAre("ann@x"));
  EXPECT_THAT(owned(table, "owner-list"), ElementsAre("boss@x"));
  EXPECT_THAT(owned(table, "list@far.example"), ElementsAre("list@far.example"));
}

TEST(OwnersTest, TheInnermostListCounts) {
  const Aliases table = aliases({{"all", {"ann@x", "inner", "team"}},
                                 {"owner-all", {"boss@x"}},
                                 {"inner", {"bob@x"}},
                                 {"owner-inner", {"chief@x"}},
                                 {"team", {"carl@x", "ann@x"}}});
  EXPECT_THAT(owned(table, "all"), ElementsAre("ann@x<owner-all@o.example", "bob@x<owner-inner@o.example",
                                               "carl@x<owner-all@o.example"));
}

TEST(OwnersTest, AnAddressIsAListByAnAddress) {
  const Aliases table = aliases({{"list@far.example", {"ann@x"}},
                                 {"owner-list@far.example", {"boss@x"}},
                                 {"owner-list", {"no@x"}},
                                 {"other@far.example", {"ann@x"}},
                                 {"owner-other", {"no@x"}},
                                 {"here@o.example", {"ann@x"}},
                                 {"owner-here", {"yes@x"}},
                                 {"@all.example", {"ann@x"}},
                                 {"owner-x@all.example", {"no@x"}}});
  EXPECT_THAT(owned(table, "list@far.example"), ElementsAre("ann@x<owner-list@far.example"));
  EXPECT_THAT(owned(table, "other@far.example"), ElementsAre("ann@x"));
  EXPECT_THAT(owned(table, "here@o.example"), ElementsAre("ann@x<owner-here@o.example"));
  EXPECT_THAT(owned(table, "x@all.example"), ElementsAre("ann@x"));
}

TEST(UniteTest, AnOwnersMailIsAnotherMessage) {
  std::vector<mail::Recipient> list{
      {"ann@x", "", ""}, {"ann@X", "", "", "owner-a@o"}, {"ann@x", "", "", "owner-a@o"}};
  unite(list);
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0].owner + list[1].owner, "owner-a@o");
}

TEST(UniteTest, LeavesOneForEachMailbox) {
  std::vector<mail::Recipient> list{{"ann@x", "", "rfc822;one"}, {"bob@x", "NEVER", ""},
                                    {"ann@X", "SUCCESS", ""},    {"ANN@x", "", ""},
                                    {"bob@x", "NEVER", ""},      {"bob@X", "DELAY", ""}};
  unite(list);
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].address + " " + list[0].notify, "ann@x SUCCESS,FAILURE,DELAY");
  EXPECT_EQ(list[0].original_recipient, "rfc822;one");
  EXPECT_EQ(list[1].address + " " + list[1].notify, "bob@x DELAY");
  EXPECT_EQ(list[2].address, "ANN@x");
}

}  // namespace
}  // namespace relayd::rewrite
