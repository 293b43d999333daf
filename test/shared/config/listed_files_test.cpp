// senders_file and accounts_file: what they add to a configuration, and what is wrong with them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using testing::HasSubstr;

constexpr std::string_view upstreams = R"(
upstreams:
  office: {host: smtp.example.net}
  second: {host: smtp.example.org}
  clear: {host: smtp.example.net, tls: none}
)";

class ListedFilesTest : public testing::Test {
 protected:
  Loaded load_with(std::string_view more, const Demands& demands = {}) {
    return load_file(folder_.write("relayd.yaml", fmt::format("{}{}", upstreams, more)), {{"SECRET", "x"}},
                     demands);
  }
  Loaded with_senders(std::string_view text, std::string_view more = {}, mode_t mode = 0600) {
    senders_ = folder_.write("senders.csv", text, mode);
    return load_with(fmt::format("senders_file: senders.csv\n{}", more));
  }
  Loaded with_accounts(std::string_view text, std::string_view more = {}, mode_t mode = 0600) {
    accounts_ = folder_.write("accounts", text, mode);
    return load_with(fmt::format("accounts_file: accounts\n{}", more));
  }
  // The complaints, with the folder left out.
  std::string told(const std::vector<Diagnostic>& diagnostics) {
    std::string text = lines(diagnostics);
    const std::string folder = folder_.path().string() + "/";
    for (std::size_t at = 0; (at = text.find(folder)) != std::string::npos;) text.erase(at, folder.size());
    return text;
  }

  Folder folder_;
  std::string senders_;
  std::string accounts_;
};

TEST_F(ListedFilesTest, ARowIsARule) {
  folder_.write("secret", "s\n");
  const Loaded loaded = with_senders(
      "match,upstream,username,password,password_file,password_env,next_password,reject\n"
      "a@x.example,office,ann,\"pass,word $SECRET ${SECRET}\",,,later,\n"
      "@y.example,office; second,,,,,,\n"
      "\"b@x.example\",office,bob,,secret,,,\n"
      "c@x.example,office,carl,,,SECRET,,\n"
      "*,,,,,,,550 5.7.1 Not from here\n",
      "senders: [{match: d@x.example, upstream: second}]\n");
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  const std::vector<SenderRule>& rules = loaded.config->senders;
  ASSERT_EQ(rules.size(), 6u);
  EXPECT_EQ(rules[0].file, "");
  EXPECT_EQ(rules[1].file, senders_);
  EXPECT_EQ(rules[1].where.line, 2);
  EXPECT_EQ(rules[1].match, "a@x.example");
  EXPECT_EQ(rules[1].username, "ann");
  EXPECT_EQ(rules[1].password.literal.reveal(), "pass,word $SECRET ${SECRET}");
  EXPECT_EQ(rules[1].next_password.literal.reveal(), "later");
  ASSERT_EQ(rules[2].upstreams.size(), 2u);
  EXPECT_EQ(rules[2].upstreams[1].name, "second");
  EXPECT_EQ(rules[2].username, std::nullopt);
  EXPECT_EQ(rules[3].password.read().value().reveal(), "s");
  EXPECT_EQ(rules[4].password.name, "SECRET");
  EXPECT_EQ(rules[5].reject, "550 5.7.1 Not from here");
  EXPECT_EQ(told(loaded.warnings), "relayd.yaml:5:3: no rule uses the upstream 'clear'\n");
}

TEST_F(ListedFilesTest, ARuleOfTheFileIsCheckedLikeAnyOther) {
  const Loaded loaded = with_senders(
      "match,upstream,username,password,password_file,reject\n"
      ",office,,,,\n"
      "a@x,,,,,\n"
      "b@x,offce,,,,\n"
      "c@x,office,u,,,\n"
      "d@x,office;second,u,p,,\n"
      "e@x,clear,u,p,,\n"
      "f x,office,,,,\n"
      "g@x,office,u,p,secret,\n"
      "h@x,office,,,,550 5.7.1 no\n"
      "i@x,office,u,,missing,\n"
      "j@x,office\n"
      "k@x,office,u,p ,,\n");
  EXPECT_EQ(
      told(loaded.errors),
      "senders.csv:2:1: 'match' is missing here\n"
      "senders.csv:3:1: a rule needs one of upstream and reject\n"
      "senders.csv:4:5: unknown upstream 'offce' (did you mean 'office'?)\n"
      "senders.csv:5:12: a username needs a password\n"
      "senders.csv:6:19: 'username' beside more than one upstream: each host would be given it; write the "
      "account beside its upstream: '{name: NAME, username: ..., password: ...}'\n"
      "senders.csv:7:5: upstream 'clear': 'tls: none' sends the password in clear: allowed to a host on "
      "loopback only\n"
      "senders.csv:8:1: 'f x' is not a pattern (an address, @domain, @*.domain or *)\n"
      "senders.csv:9:16: 'password' has two values in this row\n"
      "senders.csv:10:15: a rule has one of upstream and reject, not both\n"
      "senders.csv:11:15: cannot read missing: No such file or directory\n"
      "senders.csv:12:1: a row of 2 fields: the first row names 6 columns\n"
      "senders.csv:13:14: a blank at an end of a field would belong to it: remove it, or quote the field\n");
}

TEST_F(ListedFilesTest, AMatchHasOneRuleAndBothPlacesAreNamed) {
  const Loaded loaded = with_senders("match,upstream\n@x.example,office\n@X.example,second\na@y,office\n",
                                     "senders: [{match: A@y, upstream: office}]\n");
  EXPECT_EQ(told(loaded.errors),
            "senders.csv:3:1: duplicate match '@x.example' (first in line 2)\n"
            "senders.csv:4:1: duplicate match 'a@y' (first in line 7 of relayd.yaml)\n");
}

TEST_F(ListedFilesTest, TheFirstRowNamesTheColumns) {
  EXPECT_EQ(told(with_senders("").errors), "senders.csv:1:1: the first row has to name the columns\n");
  EXPECT_EQ(told(with_senders("match,upsteam,match\n").errors),
            "senders.csv:1:7: 'upsteam' is not one of the columns match, upstream, username, password, "
            "password_file, "
            "password_env, next_password, next_password_file, next_password_env, reject (did you mean "
            "'upstream'?)\n"
            "senders.csv:1:15: the column 'match' is there twice\n");
}

TEST_F(ListedFilesTest, AFileWithManyFaultsIsNotReadToItsEnd) {
  std::string text = "match,upstream\n";
  for (int i = 0; i < 1000; ++i) text += "x\n";
  EXPECT_EQ(with_senders(text).errors.size(), 101u);
  EXPECT_THAT(lines(with_senders(text).errors),
              HasSubstr("senders.csv:1:1: 100 faults: the rest is not read"));
  EXPECT_EQ(with_accounts(text).errors.size(), 101u);
}

TEST_F(ListedFilesTest, BothFilesHoldSecretsAndAreForNobodyElse) {
  EXPECT_EQ(told(with_senders("match,upstream\n", {}, 0644).errors),
            "relayd.yaml:6:15: others may read senders.csv (mode 0644): chmod 600 senders.csv\n");
  EXPECT_EQ(told(with_accounts("", {}, 0644).errors),
            "relayd.yaml:6:16: others may read accounts (mode 0644): chmod 600 accounts\n");
  EXPECT_EQ(told(with_accounts("", {}, 0620).errors),
            "relayd.yaml:6:16: others may read accounts (mode 0620): chmod 600 accounts\n");
}

TEST_F(ListedFilesTest, AFileThatIsNotThereIsAnErrorUnlessNoSecretIsWanted) {
  constexpr std::string_view keys = "senders_file: none.csv\naccounts_file: none\n";
  EXPECT_EQ(told(load_with(keys).errors),
            "relayd.yaml:6:15: cannot read none.csv: No such file or directory\n"
            "relayd.yaml:7:16: cannot read none: No such file or directory\n");
  const Loaded loaded = load_with(keys, {.secrets = false});
  ASSERT_TRUE(loaded.config);
  EXPECT_THAT(lines(loaded.warnings),
              HasSubstr("none.csv: No such file or directory: the rules of this file are not"));
}

constexpr std::string_view scram = "SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy";

TEST_F(ListedFilesTest, ALineIsAnAccount) {
  const Loaded loaded = with_accounts(fmt::format("# ours\n\nann:{0}\r\nb:b:{0}\n", scram),
                                      "accounts: [{name: carl, password: x}]\n");
  ASSERT_TRUE(loaded.config) << lines(loaded.errors);
  const std::vector<Account>& accounts = loaded.config->accounts;
  ASSERT_EQ(accounts.size(), 3u);
  EXPECT_EQ(accounts[1].name, "ann");
  EXPECT_EQ(accounts[1].file, accounts_);
  EXPECT_EQ(accounts[1].where.line, 3);
  EXPECT_EQ(accounts[1].scram_sha_256.read().value().reveal(), scram);
  EXPECT_TRUE(accounts[1].may_send_as.empty());
  EXPECT_EQ(accounts[2].name, "b:b");
}

TEST_F(ListedFilesTest, AFaultOfAnAccountHasItsLineAndTellsNoSecret) {
  const Loaded loaded = with_accounts(
      fmt::format("ann:password\n:{0}\nunverified:x:{0}\nbob:{0}\nbob:{0}\ncarl:{0}\nd\x01:{0}\n", scram),
      "accounts: [{name: carl, password: x}]\n");
  EXPECT_EQ(
      told(loaded.errors),
      "accounts:1:1: expected NAME:SCRAM-SHA-256$..., the second part as `relayd hash-password` prints it\n"
      "accounts:2:1: the name of an account is a text without control characters\n"
      "accounts:3:1: a name that begins with 'unverified:' is that of a login which nobody has checked\n"
      "accounts:5:1: duplicate account 'bob' (first in line 4)\n"
      "accounts:6:1: duplicate account 'carl' (first in line 7 of relayd.yaml)\n"
      "accounts:7:1: the name of an account is a text without control characters\n");
}

TEST_F(ListedFilesTest, AListenerMayLiveOnTheAccountsOfTheFile) {
  const std::string listener = "listen: [{address: 127.0.0.1:25, auth: required}]\n";
  EXPECT_TRUE(with_accounts(fmt::format("ann:{}\n", scram), listener).config);
  EXPECT_TRUE(load_with(listener + "accounts_file: accounts\n", {.secrets = false}).config);
}

TEST(TablesTest, ATableIsAFileOrPatterns) {
  const Config config = good("tables:\n  one: {file: /etc/postfix/generic}\n  two: {regexp: patterns}\n");
  ASSERT_EQ(config.tables.size(), 2u);
  EXPECT_EQ(config.tables[0].name, "one");
  EXPECT_EQ(config.tables[0].file, "/etc/postfix/generic");
  EXPECT_EQ(config.tables[1].regexp, "patterns");
  EXPECT_EQ(config.tables[1].where.line, 3);
}

TEST(TablesTest, ATableHasOneSource) {
  EXPECT_EQ(errors("tables:\n  one: {}\n  two: {file: a, regexp: b}\n  '': {file: a}\n  three: [a]\n"),
            "test.yaml:2:3: table 'one' needs one of file and regexp\n"
            "test.yaml:3:3: table 'two' needs one of file and regexp\n"
            "test.yaml:4:3: the name of a table is a text without control characters\n"
            "test.yaml:5:10: expected a map of keys, found a list\n");
}

TEST(TablesTest, WhatPostmapMakesIsRefusedWithItsSource) {
  EXPECT_EQ(
      errors("tables:\n  a: {file: /etc/generic.db}\n  b: {file: 'hash:/etc/generic'}\n"
             "  c: {file: 'pcre:/etc/p'}\n"),
      "test.yaml:2:13: /etc/generic.db is what postmap makes of a source: write {file: /etc/generic}\n"
      "test.yaml:3:13: 'hash:/etc/generic' is how Postfix names a table: relayd reads its source, {file: "
      "/etc/generic}\n"
      "test.yaml:4:13: 'pcre:/etc/p' is how Postfix names a table: write {regexp: /etc/p}\n");
}

}  // namespace
}  // namespace relayd::config
