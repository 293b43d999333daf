// AccountWatch: when it looks, and who is told of what, by a manual clock.
#include "relay/account_watch.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/manual_loop.hpp"
#include "support/quiet_log.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using async::Task;
using watch::Finding;
using watch::Health;
using watch::Step;

class AccountWatchTest : public testing::Test {
 protected:
  AccountWatchTest() {
    for (const std::string name : {"bad", "good"}) {
      config::Upstream& upstream = config->upstreams.emplace_back();
      upstream.name = name;
      upstream.host = name + ".example.net";
      config::SenderRule& rule = config->senders.emplace_back();
      rule.match = "a@" + name + ".example";
      rule.upstreams.push_back({.name = name});
    }
    config->watch.emplace();
    config->watch->notify = {"ops@example.com"};
  }
  ~AccountWatchTest() override { accounts.shut_down(); }

  std::shared_ptr<const route::Router> router() { return route::Router::build(config).router; }
  void begin() { accounts.begin(router()); }
  void fails(const std::string& upstream, const std::string& reply_class = "auth") {
    Finding finding{Health::failed, Step::auth, upstream};
    finding.reply_class = reply_class;
    finding.text = "535 no";
    finding.advice = "Correct it";
    findings.push_back(finding);
  }
  void takes(const std::string& upstream) {
    Finding finding{Health::ok, Step::sender, upstream};
    finding.at = "a@" + upstream + ".example";
    findings.push_back(finding);
  }
  Task<std::vector<Finding>> examine() {
    ++looks;
    co_await async::sleep_until(loop, loop.now() + takes_time);
    std::vector<Finding> all = findings;
    for (const config::Upstream& upstream : config->upstreams)
      all.push_back({Health::ok, Step::connect, upstream.name});
    co_return all;
  }
  Task<std::string> send(const std::string& from, const std::vector<std::string>& to,
                         const std::string& subject, const std::vector<std::string>& paragraphs) {
    if (refusal.empty())
      sent.push_back(fmt::format("{} to {}: {} | {}", from, fmt::join(to, ","), subject, paragraphs.front()));
    co_return refusal;
  }

  test::ManualLoop loop;
  test::QuietLog log;
  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  std::vector<Finding> findings;
  Duration takes_time{};
  int looks = 0;
  std::string refusal;
  std::vector<std::string> sent, changes;
  AccountWatch accounts{
      loop,
      log,
      {[this](std::shared_ptr<const route::Router>) { return examine(); },
       [this](const std::string& from, const std::vector<std::string>& to, const std::string& subject,
              const std::vector<std::string>& paragraphs) { return send(from, to, subject, paragraphs); },
       [this](const watch::Account& account) {
         changes.push_back(account.name.upstream + (account.well ? " well" : " fails"));
       }}};
};

TEST_F(AccountWatchTest, LooksAfterAStartAndThenNowAndThen) {
  begin();
  EXPECT_EQ(looks, 0);
  loop.advance(AccountWatch::after_change);
  EXPECT_EQ(looks, 1);
  loop.advance(24h - 1s);
  EXPECT_EQ(looks, 1);
  loop.advance(1s);
  EXPECT_EQ(looks, 2);
  loop.advance(72h);
  EXPECT_EQ(looks, 5);
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(accounts.accounts().size(), 2U);
}

TEST_F(AccountWatchTest, LooksAfterAChangeAlsoWhileItLooks) {
  begin();
  loop.advance(AccountWatch::after_change);
  accounts.use(router());
  loop.advance(AccountWatch::after_change);
  EXPECT_EQ(looks, 2);
  takes_time = 10s;
  accounts.use(router());
  loop.advance(AccountWatch::after_change + 1s);
  EXPECT_EQ(looks, 3);
  fails("bad");
  accounts.use(router());
  loop.advance(9s);
  EXPECT_TRUE(changes.empty());  // the old configuration's
  loop.advance(AccountWatch::after_change + 10s);
  EXPECT_EQ(looks, 4);
  EXPECT_EQ(changes, std::vector<std::string>{"bad fails"});
}

TEST_F(AccountWatchTest, DoesNothingUnlessItIsWantedAndStopsWhenItIsNot) {
  config->watch.reset();
  begin();
  loop.advance(48h);
  EXPECT_EQ(looks, 0);
  config = std::make_shared<config::Config>(*config);
  config->watch.emplace();
  accounts.use(router());
  loop.advance(AccountWatch::after_change);
  EXPECT_EQ(looks, 1);
  config = std::make_shared<config::Config>(*config);
  config->watch.reset();
  accounts.use(router());
  loop.advance(96h);
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(accounts.accounts().empty());
}

TEST_F(AccountWatchTest, AFailureIsToldOnceThroughAnAccountThatWorks) {
  fails("bad");
  takes("good");
  config->bounce.from = "a@bad.example";
  begin();
  loop.advance(AccountWatch::after_change);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0],
            "a@good.example to ops@example.com: 'bad' fails | The account 'bad' fails: 535 no. Correct it.");
  loop.advance(1h);
  EXPECT_EQ(sent.size(), 1U);
  EXPECT_EQ(looks, 4);  // sooner while it fails, and then ever later
  findings.clear();
  takes("good");
  loop.advance(15min);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1],
            "a@bad.example to ops@example.com: 'bad' is well again | The account 'bad' is well again.");
  loop.advance(48h);
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(changes, (std::vector<std::string>{"bad fails", "bad well"}));
}

TEST_F(AccountWatchTest, TheAddressOfReportsIsUsedWhereItsAccountWorks) {
  fails("bad");
  takes("good");
  config->bounce.from = "a@good.example";
  config->senders.push_back({});
  config->senders.back().match = "z@good.example";
  config->senders.back().upstreams.push_back({.name = "good"});
  findings.back().at = "z@good.example";
  begin();
  loop.advance(AccountWatch::after_change);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_TRUE(sent[0].starts_with("a@good.example to ")) << sent[0];
}

TEST_F(AccountWatchTest, WithoutAnAccountThatWorksTheMailWaitsForOne) {
  fails("bad");
  fails("good");
  begin();
  loop.advance(AccountWatch::after_change + 10min);
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(changes, (std::vector<std::string>{"bad fails", "good fails"}));
  findings.erase(findings.begin() + 1);
  takes("good");
  loop.advance(AccountWatch::while_doubtful);
  ASSERT_EQ(sent.size(), 1U);  // that good had failed is over
  EXPECT_TRUE(sent[0].find("'bad' fails") != std::string::npos) << sent[0];
}

TEST_F(AccountWatchTest, WhatTheQueueDoesNotTakeIsToldLater) {
  fails("bad");
  takes("good");
  refusal = "full";
  begin();
  loop.advance(AccountWatch::after_change);
  refusal.clear();
  loop.advance(AccountWatch::while_doubtful);
  EXPECT_EQ(sent.size(), 1U);
}

TEST_F(AccountWatchTest, NobodyIsWrittenToWhereNobodyIsNamed) {
  config->watch->notify.clear();
  fails("bad");
  takes("good");
  begin();
  loop.advance(48h);
  EXPECT_TRUE(sent.empty());
  EXPECT_EQ(changes.size(), 1U);
}

TEST_F(AccountWatchTest, NothingIsBegunAfterTheEnd) {
  takes_time = 10s;
  fails("bad");
  begin();
  loop.advance(AccountWatch::after_change + 1s);
  accounts.shut_down();
  loop.advance(48h);
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(changes.empty());
}

}  // namespace
}  // namespace relayd
