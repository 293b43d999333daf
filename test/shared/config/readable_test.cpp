#include "shared/config/readable.hpp"

#include <gtest/gtest.h>

#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

Readable read(std::string_view text, const Environment& environment = {}) {
  return read_what_can_be(text, "/etc/relayd/test.yaml", environment);
}

TEST(Readable, AnErrorElsewhereLeavesTheDaemonsPlace) {
  const Readable read = config::read("queue: {directory: /srv/mail, lifetime: soon}\nhots: x\nsenders: 5\n");
  EXPECT_FALSE(read.hides_daemon);
  EXPECT_EQ(read.config.admin_socket(), "/srv/mail/admin.sock");
  EXPECT_EQ(read.errors.size(), 3u);
}

TEST(Readable, WhatIsNoYamlIsReadSectionBySection) {
  const Readable read = config::read(
      "# ours\nlisten:\n- address: 127.0.0.1:2525\nsenders:\n  - {match: x\n\t- y\n\nadmin:\n  socket: "
      "${SOCKET}\n",
      {{"SOCKET", "run/admin.sock"}});
  EXPECT_FALSE(read.hides_daemon);
  EXPECT_EQ(read.config.admin_socket(), "/etc/relayd/run/admin.sock");
  ASSERT_EQ(read.config.listeners.size(), 1u);
  EXPECT_EQ(read.config.listeners[0].port, 2525);
  EXPECT_EQ(read.errors.size(), 1u);
}

TEST(Readable, WithoutAWordOfItTheDaemonIsAtTheDefaultPlace) {
  const Readable read = config::read("hostname: [\nsenders: []\n");
  EXPECT_FALSE(read.hides_daemon);
  EXPECT_EQ(read.config.admin_socket(), "/var/spool/relayd/admin.sock");
  EXPECT_EQ(read.config.listeners.size(), 2u);
}

TEST(Readable, AnErrorThatHidesTheDaemonsPlaceIsTold) {
  for (const char* text :
       {"queue:\n\tdirectory: /srv/mail\n", "queue: {directory: [/srv/mail]}\n",
        "queue: {directory: /srv/mail}\nadmin: {sokcet: /run/x}\n", "admin: {socket: ${NONE}}\n",
        "qeue: {directory: /srv/mail}\n", "Queue: {directory: /srv/mail}\n",
        "queues: {directory: /srv/mail}\n", "queue\n  directory: /srv/mail\nsenders: []\n",
        "hostname: a\n queue: {directory: /srv/mail}\n", "-queue:\n  directory: /srv/mail\n",
        "queue : {directory: /srv/mail]\nsenders: []\n", "\"admin\": {socket: /run/x\nsenders: []\n",
        "adimn: {socket: /run/x}\nhostname: [\n", "queue: {directory: /srv/mail}\nadmin: {socket: /run/x\n",
        "{\n\"queue\": {\"directory\": \"/srv/mail\"},\n\"senders\": []\n",
        "{\"queue\": {\"directory\": \"/srv/mail\"},,}"})
    EXPECT_TRUE(config::read(text).hides_daemon) << text;
}

// Where nothing is near to the words for it, the daemon of a file without them is at the default place.
TEST(Readable, AKeyThatIsMisspeltElsewhereHidesNothing) {
  for (const char* text :
       {"hotsname: a\n", "listn: []\nsenders: 5\n", "hostname: {\nupstraems: [\nsenders: []\n"})
    EXPECT_FALSE(config::read(text).hides_daemon) << text;
}

TEST(Readable, AFileThatCannotBeOpenedHidesTheDaemon) {
  const Readable read = read_what_can_be(std::filesystem::path("/missing.yaml"), {});
  EXPECT_TRUE(read.hides_daemon);
  EXPECT_EQ(lines(read.errors), "/missing.yaml: cannot read /missing.yaml: No such file or directory\n");
}

TEST(Readable, VariablesThatNameNoProviderNameTheDaemonAllTheSame) {
  const Environment environment = {{"RELAYD_PROVIDER", "nobody"}, {"RELAYD_QUEUE_DIRECTORY", "/srv/mail"}};
  EXPECT_EQ(read_what_can_be(environment).config.admin_socket(), "/srv/mail/admin.sock");
  EXPECT_FALSE(read_what_can_be(environment).hides_daemon);
}

TEST(Readable, TheAdminSocketOfAStartWithoutAFileIsAVariable) {
  const Environment environment = {{"RELAYD_HOST", "smtp.example.net"}, {"RELAYD_ADMIN", "/run/admin.sock"}};
  EXPECT_EQ(read_what_can_be(environment).config.admin_socket(), "/run/admin.sock");
}

}  // namespace
}  // namespace relayd::config
