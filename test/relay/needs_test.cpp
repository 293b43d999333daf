#include "relay/needs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "support/temporary_directory.hpp"

namespace relayd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

struct NeedsTest : testing::Test {
  test::TemporaryDirectory folder;
  config::Config config;

  NeedsTest() { config.queue.directory = folder.path() / "queue"; }
  std::string at(const char* name) const {
    return std::filesystem::canonical(folder.path()).string() + "/" + name;
  }
};

TEST_F(NeedsTest, AreTheQueueTheDropFolderAndTheSandboxes) {
  config.upstreams.resize(2);
  config.upstreams[0].sandbox_directory = at("box");
  EXPECT_THAT(needs_of(config).directories, ElementsAre(at("queue"), at("queue-drop"), at("box")));
  config.queue.drop = at("drop");
  EXPECT_THAT(needs_of(config).directories, Contains(at("drop")));
}

TEST_F(NeedsTest, AreTheMaildirsToo) {
  config.upstreams.resize(1);
  config.upstreams[0].maildir = config::Maildir{at("mail"), {}};
  EXPECT_THAT(needs_of(config).directories, Contains(at("mail")));
}

TEST_F(NeedsTest, FollowLinks) {
  std::filesystem::create_directory(at("elsewhere"));
  std::filesystem::create_directory_symlink(at("elsewhere"), folder.path() / "queue");
  EXPECT_THAT(needs_of(config).directories, Contains(at("elsewhere")));
  EXPECT_THAT(needs_of(config).directories, Not(Contains(at("queue"))));
}

TEST_F(NeedsTest, AreSocketsOfUnixListenersAndOfTheOperator) {
  config.listeners.resize(2);
  config.listeners[1].unix_path = at("smtp.sock");
  EXPECT_THAT(needs_of(config).sockets, ElementsAre(at("queue/admin.sock"), at("smtp.sock")));
}

TEST_F(NeedsTest, AreProgramsWhereverASecretIsACommand) {
  config.accounts.resize(1);
  config.upstreams.resize(1);
  config.senders.resize(1);
  config.senders[0].upstreams.resize(1);
  config.webhooks.resize(1);
  config.webhooks[0].secrets.resize(2);
  EXPECT_FALSE(needs_of(config).programs);
  config::RuleUpstream& inner = config.senders[0].upstreams[0];
  for (config::SecretSource* const secret :
       {&config.accounts[0].password, &config.accounts[0].scram_sha_256, &config.upstreams[0].password,
        &config.upstreams[0].next_password, &config.senders[0].password, &config.senders[0].next_password,
        &inner.password, &inner.next_password, &config.webhooks[0].secrets[1]}) {
    secret->kind = config::SecretSource::Kind::command;
    EXPECT_TRUE(needs_of(config).programs);
    secret->kind = config::SecretSource::Kind::file;
  }
}

}  // namespace
}  // namespace relayd
