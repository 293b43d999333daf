#include "rewrite/rewriting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "rewrite/rules_of.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::rewrite {
namespace {

using testing::ElementsAre;

std::string sender(const Rewriting& rewriting, std::string_view address) {
  Notes notes;
  return rewriting.sender(address, notes).value_or(std::string(address));
}

std::string sender(const std::vector<config::RewriteRule>& list, std::string_view address,
                   When when = When::sent) {
  return sender(Rules(list, when).rewriting(), address);
}

TEST(Rewriting, TheMostSpecificPatternDecidesWhereverItStands) {
  const std::vector<config::RewriteRule> rules = {
      rule("*", "any@x.example"), rule("@*.int.example", "sub@x.example"),
      rule("@int.example", "@example.com"), rule("ann@int.example", "smith@x.example")};
  EXPECT_EQ(sender(rules, "ann@int.example"), "smith@x.example");
  EXPECT_EQ(sender(rules, "bob@int.example"), "bob@example.com");
  EXPECT_EQ(sender(rules, "bob@a.b.int.example"), "sub@x.example");
  EXPECT_EQ(sender(rules, "bob@other.example"), "any@x.example");
}

TEST(Rewriting, MasqueradingIsARule) {
  const std::vector<config::RewriteRule> rules = {rule("@*.example.com", "@example.com"),
                                                  rule("root@a.example.com", "root@a.example.com")};
  EXPECT_EQ(sender(rules, "Ann@host.a.example.com"), "Ann@example.com");
  EXPECT_EQ(sender(rules, "ann@example.com"), "ann@example.com");
  EXPECT_EQ(sender(rules, "root@a.example.com"), "root@a.example.com") << "what maps to itself is excepted";
}

TEST(Rewriting, TheLookupIgnoresCaseAndNeedlessQuotesAndTheResultKeepsItsSpelling) {
  const std::vector<config::RewriteRule> rules = {rule("a.b@int.example", "Smith@X.example"),
                                                  rule("\"a b\"@int.example", "c@x.example"),
                                                  rule("@old.example", "@New.example")};
  EXPECT_EQ(sender(rules, "A.B@INT.example"), "Smith@X.example");
  EXPECT_EQ(sender(rules, "\"a.b\"@int.example"), "Smith@X.example");
  EXPECT_EQ(sender(rules, "\"a\\.b\"@int.example"), "Smith@X.example");
  EXPECT_EQ(sender(rules, "\"a b\"@int.example"), "c@x.example");
  EXPECT_EQ(sender(rules, "\"Q.R\"@old.example"), "\"Q.R\"@New.example");
  EXPECT_EQ(sender(rules, "\"\\\"a\\\"\"@int.example"), "\"\\\"a\\\"\"@int.example");
}

TEST(Rewriting, ADomainIsTheSameAsALabels) {
  const std::vector<config::RewriteRule> rules = {rule("@xn--bcher-kva.example", "@example.com")};
  Rules list(rules);
  list.smtp_utf8 = true;
  EXPECT_EQ(sender(list.rewriting(), "J\xc3\xbcrg@B\xc3\xbc\x63her.example"), "J\xc3\xbcrg@example.com");
}

TEST(Rewriting, AnExtensionStaysOnWhatIsTakenAndNotOnWhatIsSent) {
  const config::RewriteRule exact = rule("ann@int.example", "smith@x.example");
  EXPECT_EQ(sender({taken(exact)}, "ann+A+b@int.example", When::taken), "smith+A+b@x.example");
  EXPECT_EQ(sender({exact}, "ann+a@int.example"), "smith@x.example");
  EXPECT_EQ(sender({taken(rule("ann+a@int.example", "n@x"))}, "ann+a@int.example", When::taken), "n@x");
  const config::RewriteRule quoted = rule("ann@int.example", "\"a b\"@x.example");
  EXPECT_EQ(sender({taken(quoted)}, "ann+a@int.example", When::taken), "\"a b\"@x.example");
  for (const When when : {When::taken, When::sent}) {
    config::RewriteRule domain = rule("@int.example", "@x.example");
    config::RewriteRule all = rule("*", "all@x.example");
    domain.taken = all.taken = when == When::taken;
    EXPECT_EQ(sender({domain}, "ann+a@int.example", when), "ann+a@x.example");
    EXPECT_EQ(sender({all}, "ann+a@int.example", when), "all@x.example");
  }
}

TEST(Rewriting, AnAddressIsMappedOnce) {
  const std::vector<config::RewriteRule> rules = {rule("@a.example", "@b.example"),
                                                  rule("@b.example", "@a.example")};
  EXPECT_EQ(sender(rules, "u@a.example"), "u@b.example");
  EXPECT_EQ(sender(rules, "u@b.example"), "u@a.example");
}

TEST(Rewriting, TheMostSpecificScopeWithARuleForTheAddressDecides) {
  const RewriteRules of_rule({rule("@a.example", "rule@x")}, When::sent);
  const RewriteRules of_upstream({rule("*", "upstream@x", "sender")}, When::sent);
  const RewriteRules general({rule("ann@a.example", "general@x"), rule("ann@b.example", "general@x")},
                             When::sent);
  const Rewriting rewriting({&of_rule, &of_upstream, &general}, no_tables, false);
  Notes notes;
  EXPECT_EQ(rewriting.sender("ann@a.example", notes), "rule@x");
  EXPECT_EQ(rewriting.sender("ann@b.example", notes), "upstream@x");
  EXPECT_EQ(rewriting.recipient("ann@b.example", notes), "general@x");
  EXPECT_EQ(rewriting.recipient("bob@b.example", notes), std::nullopt);
  EXPECT_EQ(sender(Rewriting({nullptr, &of_upstream, nullptr}, no_tables, false), "u@c"), "upstream@x");
}

TEST(Rewriting, AnExceptionHoldsAgainstWiderScopesToo) {
  const RewriteRules own({rule("ann@int.example", "ann@int.example")}, When::sent);
  const RewriteRules general({rule("*", "any@x.example")}, When::sent);
  const TableLookup none;
  EXPECT_EQ(sender(Rewriting({&own, nullptr, &general}, none, false), "ann@int.example"), "ann@int.example");
  EXPECT_EQ(sender(Rewriting({&own, nullptr, &general}, none, false), "bob@int.example"), "any@x.example");
}

TEST(Rewriting, OnePatternMayMeanOtherThingsInOtherClassesAndAtOtherTimes) {
  const std::vector<config::RewriteRule> list = {
      rule("@a.example", "s@x", "sender"), rule("@a.example", "r@x", "recipient"),
      rule("@a.example", "f@x", "from"), taken(rule("@a.example", "t@x", "sender"))};
  Rules sent(list);
  EXPECT_EQ(sender(sent.rewriting(), "u@a.example"), "s@x");
  EXPECT_EQ(sent.rewriting().recipient("u@a.example", sent.notes), "r@x");
  EXPECT_EQ(sent.header("From: u@a.example\r\nTo: u@a.example\r\n"), "From: f@x\r\nTo: u@a.example\r\n");
  EXPECT_EQ(sender(list, "u@a.example", When::taken), "t@x");
}

// --- tables -----------------------------------------------------------------------------------------------

struct Tables {
  std::map<std::string, std::map<std::string, std::string>> tables;
  std::vector<std::string> asked = {};
  TableLookup lookup = [this](std::string_view table, std::string_view key) -> std::optional<std::string> {
    asked.push_back(std::string(table) + ":" + std::string(key));
    const auto& entries = tables[std::string(table)];
    const auto found = entries.find(mail::lookup_key(key));
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  };
};

TEST(Rewriting, ATableIsAskedForTheAddressThenWithoutItsTagThenForTheDomain) {
  Tables tables{{{"t", {{"ann@a.example", "smith@x"}, {"ann+n@a.example", "n@x"}, {"@a.example", "@x"}}}}};
  const RewriteRules sent({table("t")}, When::sent), took({taken(table("t"))}, When::taken);
  const Rewriting when_sent({&sent}, tables.lookup, false), when_taken({&took}, tables.lookup, false);
  EXPECT_EQ(sender(when_sent, "Ann+N@A.example"), "n@x");
  EXPECT_EQ(sender(when_sent, "ann+b@a.example"), "smith@x");
  EXPECT_EQ(sender(when_taken, "ann+B@a.example"), "smith+B@x");
  tables.asked.clear();
  EXPECT_EQ(sender(when_sent, "Bob+c@a.example"), "Bob+c@x");
  EXPECT_THAT(tables.asked, ElementsAre("t:Bob+c@a.example", "t:Bob@a.example", "t:@a.example"));
  tables.asked.clear();
  EXPECT_EQ(sender(when_sent, "root"), "root");
  EXPECT_THAT(tables.asked, ElementsAre("t:root"));
}

TEST(Rewriting, EachKeyIsAskedInPatternsThenInTheTablesInTheirOrder) {
  Tables tables{{{"one", {{"ann@a.example", "one@x"}, {"@a.example", "one@x"}, {"@b.example", "one@x"}}},
                 {"two", {{"ann@a.example", "two@x"}, {"bob@a.example", "two@x"}}}}};
  const RewriteRules rules({rule("*", "any@x"), table("one"), table("two"), rule("@b.example", "b@x"),
                            rule("eve@a.example", "eve@x"), rule("@*.a.example", "sub@x")},
                           When::sent);
  const Rewriting rewriting({&rules}, tables.lookup, false);
  EXPECT_EQ(sender(rewriting, "ann@a.example"), "one@x");
  EXPECT_EQ(sender(rewriting, "bob@a.example"), "two@x") << "a narrower key in a later table";
  EXPECT_EQ(sender(rewriting, "eve@a.example"), "eve@x");
  EXPECT_EQ(sender(rewriting, "u@a.example"), "one@x");
  EXPECT_EQ(sender(rewriting, "u@b.example"), "b@x");
  EXPECT_EQ(sender(rewriting, "u@c.a.example"), "sub@x");
  EXPECT_EQ(sender(rewriting, "u@d.example"), "any@x");
}

// --- what stays -------------------------------------------------------------------------------------------

TEST(Rewriting, TheNullSenderStays) {
  Rules rules({rule("*", "any@x")});
  EXPECT_EQ(rules.rewriting().sender("", rules.notes), std::nullopt);
  EXPECT_EQ(rules.header("Return-Path: <>\r\n"), "Return-Path: <>\r\n");
  EXPECT_TRUE(rules.notes.empty());
}

struct Refused {
  std::string to;
  std::string address;
  Left why;
};

TEST(Rewriting, WhatAnAddressMustNotBecomeIsLeftAndNoted) {
  const std::string labels =
      "." + std::string(63, 'd') + "." + std::string(63, 'e') + "." + std::string(63, 'f') + ".example";
  for (const auto& [to, address, why] :
       {Refused{"", "ann@a", Left::invalid}, Refused{"bob", "ann@a", Left::invalid},
        Refused{"a b@x", "ann@a", Left::invalid}, Refused{"@", "ann@a", Left::invalid},
        Refused{"b@x\r\nBcc: e@x", "ann@a", Left::invalid},
        Refused{"@" + std::string(40, 'c') + labels, std::string(64, 'l') + "@a", Left::too_long},
        Refused{std::string(65, 'l') + "@x", "ann@a", Left::too_long},
        Refused{"j\xc3\xb6rg@x", "ann@a", Left::needs_utf8}}) {
    Rules rules({rule("*", to)});
    EXPECT_EQ(rules.rewriting().sender(address, rules.notes), std::nullopt) << to;
    const std::string header = "To: " + address + "\r\n";
    EXPECT_EQ(rules.header(header), header) << to;
    ASSERT_EQ(rules.notes.size(), 1u) << "one for a rule and a reason";
    EXPECT_EQ(rules.notes[0].why, why) << to;
    EXPECT_EQ(rules.notes[0].address, address);
    EXPECT_EQ(rules.notes[0].rule.line, 1);
    EXPECT_FALSE(text_of(why).empty());
  }
  const std::string longest = "@" + std::string(29, 'c') + labels.substr(0, 192);
  EXPECT_EQ(sender({rule("*", longest)}, std::string(32, 'l') + "@a").size(), 254u);
  EXPECT_EQ(sender({rule("*", longest)}, std::string(33, 'l') + "@a").size(), 35u);
}

TEST(Rewriting, OctetsAbove127AreForMessagesWithSmtputf8) {
  Rules rules({rule("*", "j\xc3\xb6rg@x")});
  rules.smtp_utf8 = true;
  EXPECT_EQ(rules.rewriting().sender("ann@a", rules.notes), "j\xc3\xb6rg@x");
  EXPECT_EQ(rules.header("To: ann@a\r\n"), "To: j\xc3\xb6rg@x\r\n");
  EXPECT_TRUE(rules.notes.empty());
}

TEST(Rewriting, NotesAreFew) {
  std::vector<config::RewriteRule> list;
  std::string header = "To: ";
  for (int i = 0; i < 100; ++i) {
    const std::string address = std::string(static_cast<std::size_t>(i) + 1, 'a') + "@a.example";
    list.push_back(rule(address, "bad"));
    header += address + ",\r\n ";
  }
  Rules rules(list);
  EXPECT_EQ(rules.header(header + "b@x\r\n"), header + "b@x\r\n");
  EXPECT_EQ(rules.notes.size(), 16u);
}

// --- a message --------------------------------------------------------------------------------------------

TEST(Rewriting, AMessageHasItsEnvelopeAndHeaderChangedAndNothingElse) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = "ann@int.example";
  envelope.recipients = {{"bob@x.example", "NEVER", ""}, {"eve@int.example", "", "rfc822;eve@int.example"}};
  Rules rules({rule("@int.example", "@example.com")});
  const Rewritten result =
      rules.rewriting().message(envelope, "From: ann@int.example\r\nTo: bob@x.example\r\n");
  EXPECT_TRUE(result.changed());
  EXPECT_EQ(result.sender, "ann@example.com");
  ASSERT_EQ(result.recipients.size(), 1u);
  EXPECT_EQ(result.recipients[0].index, 1u);
  EXPECT_EQ(result.header, "From: ann@example.com\r\nTo: bob@x.example\r\n");
  apply(result, envelope);
  EXPECT_EQ(envelope.sender, "ann@example.com");
  EXPECT_EQ(envelope.routing_sender, "ann@example.com");
  EXPECT_EQ(envelope.recipients[0].address, "bob@x.example");
  EXPECT_EQ(envelope.recipients[1].address, "eve@example.com");
  EXPECT_EQ(envelope.recipients[1].original_recipient, "rfc822;eve@int.example") << "RFC 3461 5.2.1";
}

TEST(Rewriting, WithoutRulesOrMatchesNothingChanges) {
  mail::Envelope envelope;
  envelope.sender = envelope.routing_sender = "ann@x.example";
  envelope.recipients = {{"bob@x.example", "", ""}};
  const std::string header = "From: ann@x.example\r\n";
  Rules none({taken(rule("*", "any@x"))}), other({rule("@int.example", "@example.com")});
  EXPECT_TRUE(none.rewriting().empty());
  EXPECT_FALSE(other.rewriting().empty());
  for (Rules* rules : {&none, &other}) {
    const Rewritten result = rules->rewriting().message(envelope, header);
    EXPECT_FALSE(result.changed());
    EXPECT_EQ(result.header, std::nullopt);
  }
}

}  // namespace
}  // namespace relayd::rewrite
