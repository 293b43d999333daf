#include "relay/reloader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>

#include "support/quiet_log.hpp"
#include "support/temporary_directory.hpp"

namespace relayd {
namespace {

using testing::ElementsAre;

struct ReloaderTest : testing::Test {
  test::TemporaryDirectory folder;
  const std::string file = folder.path() / "file";
  net::AsioLoop loop;
  test::QuietLog log;
  std::atomic<int> made = 0;
  int used = 0;
  std::function<void()> while_it_is_made = [] {};
  bool good = true;
  Reloader reloader{loop, log,
                    [this] {
                      ++made;
                      SetupResult result;
                      result.files[file] = disk::file_stamp(file);
                      while_it_is_made();
                      if (good)
                        result.setup.emplace();
                      else
                        result.errors.push_back({file, {1, 2}, "wrong"});
                      return result;
                    },
                    [this](const relayd::Setup&) {
                      ++used;
                      return "later";
                    }};
  std::vector<watch::Reload> told;
  async::Scope scope;

  // Asks, and ends the loop with the last answer.
  async::Task<void> ask(std::size_t of) {
    watch::Reload reload = co_await reloader.reload();
    told.push_back(std::move(reload));
    if (told.size() == of) loop.stop();
  }
};

TEST_F(ReloaderTest, TellsWhatBecameOfIt) {
  scope.spawn(ask(1));
  loop.run();
  EXPECT_TRUE(told.at(0).taken);
  EXPECT_EQ(told.at(0).left, "later");
  good = false;
  scope.spawn(ask(2));
  loop.run();
  EXPECT_FALSE(told.at(1).taken);
  EXPECT_THAT(told.at(1).errors, ElementsAre(file + ":1:2: wrong"));
  EXPECT_EQ(used, 1);
  EXPECT_EQ(reloader.standing().reason, file + ":1:2: wrong");
  good = true;
  scope.spawn(ask(3));
  loop.run();
  EXPECT_EQ(reloader.standing().taken, 2U);
  EXPECT_EQ(reloader.standing().refused, 1U);
}

TEST_F(ReloaderTest, WhoAsksDuringAReloadGetsAnotherTogether) {
  std::promise<void> asked;
  while_it_is_made = [&, future = asked.get_future().share()] { future.wait(); };
  scope.spawn(ask(3));
  scope.spawn(ask(3));
  scope.spawn(ask(3));
  EXPECT_TRUE(told.empty());
  asked.set_value();
  loop.run();
  EXPECT_EQ(made, 2);
}

TEST_F(ReloaderTest, WhatChangesWhileItIsReadIsReadAgain) {
  while_it_is_made = [this] {
    if (made == 1) std::ofstream(file) << "changed";
    if (made == 2) loop.post([this] { loop.stop(); });
  };
  reloader.request();
  loop.run();
  EXPECT_EQ(made, 2);
}

TEST_F(ReloaderTest, WhoAsksAtTheEndIsTold) {
  reloader.close();
  scope.spawn(ask(1));
  EXPECT_THAT(told.at(0).errors, ElementsAre("relayd is stopping"));
  EXPECT_EQ(made, 0);
}

}  // namespace
}  // namespace relayd
