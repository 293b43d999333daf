#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

Config started(const Environment& environment) {
  const Loaded loaded = load_environment(environment);
  if (!loaded.config) throw std::runtime_error(lines(loaded.errors));
  return *loaded.config;
}

std::string refused(const Environment& environment) {
  return lines(load_environment(environment).errors);
}

TEST(EnvironmentStart, AProviderAndACredentialAreEnough) {
  const Config config = started({{"RELAYD_PROVIDER", "mailgun"},
                                 {"RELAYD_REGION", "eu"},
                                 {"RELAYD_USERNAME", "postmaster@example.com"},
                                 {"RELAYD_PASSWORD", "a ${b} $$"}});
  EXPECT_EQ(config.file, "environment");
  ASSERT_EQ(config.upstreams.size(), 1u);
  EXPECT_EQ(config.upstreams[0].name, "default");
  EXPECT_EQ(config.upstreams[0].provider, "mailgun");
  EXPECT_EQ(config.upstreams[0].username, "postmaster@example.com");
  EXPECT_EQ(config.upstreams[0].password.read()->reveal(), "a ${b} $$");
  EXPECT_EQ(config.upstreams[0].where.line, 0);
  ASSERT_EQ(config.senders.size(), 1u);
  EXPECT_EQ(config.senders[0].match, "*");
  EXPECT_THAT(config.senders[0].upstreams, ElementsAre(Field(&RuleUpstream::name, "default")));
  EXPECT_EQ(config.listeners.size(), 2u);
}

TEST(EnvironmentStart, EveryVariableHasItsPlace) {
  Folder folder;
  const Config config = started({{"RELAYD_HOST", "smtp.example.net"},
                                 {"RELAYD_PORT", "465"},
                                 {"RELAYD_TLS", "implicit"},
                                 {"RELAYD_USERNAME", "relay"},
                                 {"RELAYD_PASSWORD_FILE", folder.write("secret", "hunter2\n")},
                                 {"RELAYD_LISTEN", "0.0.0.0:2525, unix:/run/relayd/smtp.sock"},
                                 {"RELAYD_ALLOW", "10.0.0.0/8,192.168.0.0/16"},
                                 {"RELAYD_HOSTNAME", "mail.example.com"},
                                 {"RELAYD_USER", "0"},
                                 {"RELAYD_QUEUE_DIRECTORY", "/queue"},
                                 {"RELAYD_LOG_FORMAT", "json"}});
  const Upstream& upstream = config.upstreams.at(0);
  EXPECT_EQ(upstream.host, "smtp.example.net");
  EXPECT_THAT(upstream.ports, ElementsAre(465));
  EXPECT_EQ(upstream.tls, TlsMode::implicit);
  EXPECT_EQ(upstream.password.read()->reveal(), "hunter2");
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[0].address, "0.0.0.0:2525");
  EXPECT_EQ(config.listeners[1].unix_path, "/run/relayd/smtp.sock");
  ASSERT_EQ(config.listeners[1].allow.size(), 2u);
  EXPECT_EQ(config.listeners[1].allow[1].text(), "192.168.0.0/16");
  EXPECT_EQ(config.user, "0");
  EXPECT_EQ(config.hostname, "mail.example.com");
  EXPECT_EQ(config.queue.directory, "/queue");
  EXPECT_EQ(config.log.format, LogFormat::json);
}

TEST(EnvironmentStart, AllowAloneIsForTheDefaultListeners) {
  const Config config = started({{"RELAYD_HOST", "h"}, {"RELAYD_ALLOW", "127.0.0.2"}});
  ASSERT_EQ(config.listeners.size(), 2u);
  EXPECT_EQ(config.listeners[1].address, "[::1]:25");
  EXPECT_EQ(config.listeners[1].allow.at(0).text(), "127.0.0.2");
}

TEST(EnvironmentStart, AnEmptyVariableIsNotSet) {
  const Config config = started({{"RELAYD_HOST", "h"}, {"RELAYD_PORT", ""}, {"RELAYD_USERNAME", ""}});
  EXPECT_THAT(config.upstreams.at(0).ports, IsEmpty());
  EXPECT_FALSE(config.upstreams[0].username.has_value());
}

TEST(EnvironmentStart, ThePortThatKubernetesSetsForAServiceIsNotOurs) {
  EXPECT_THAT(started({{"RELAYD_HOST", "h"}, {"RELAYD_PORT", "tcp://10.0.0.1:25"}}).upstreams.at(0).ports,
              IsEmpty());
}

TEST(EnvironmentStart, ErrorsNameTheVariable) {
  EXPECT_EQ(refused({{"RELAYD_HOST", "h"},
                     {"RELAYD_PORT", "smtp"},
                     {"RELAYD_TLS", "ssl"},
                     {"RELAYD_USERNAME", "u"},
                     {"RELAYD_LISTEN", "25"},
                     {"RELAYD_ALLOW", "everybody"}}),
            "RELAYD_PORT: 'smtp' is not a port (1 to 65535)\n"
            "RELAYD_TLS: 'ssl' is not one of none, starttls, implicit\n"
            "RELAYD_LISTEN: '25' is not an address to listen on (such as 127.0.0.1:25, [::1]:25 or "
            "unix:/run/relayd/smtp.sock)\n"
            "RELAYD_ALLOW: 'everybody' is not an IP address or network (such as 10.0.0.0/8 or ::1)\n"
            "RELAYD_USERNAME: set RELAYD_PASSWORD_FILE (or RELAYD_PASSWORD), too\n");
}

TEST(EnvironmentStart, TheChecksOfAFileHold) {
  EXPECT_THAT(refused({{"RELAYD_HOST", "h"}, {"RELAYD_LISTEN", "0.0.0.0:25"}}),
              testing::StartsWith("RELAYD_LISTEN: 0.0.0.0:25 is reachable from other machines"));
  EXPECT_THAT(
      refused(
          {{"RELAYD_HOST", "h"}, {"RELAYD_TLS", "none"}, {"RELAYD_USERNAME", "u"}, {"RELAYD_PASSWORD", "p"}}),
      testing::StartsWith("RELAYD_TLS: RELAYD_TLS=none sends the password in clear"));
  EXPECT_EQ(
      refused({{"RELAYD_HOST", "h"}, {"RELAYD_USERNAME", "u"}, {"RELAYD_PASSWORD_FILE", "/nowhere/secret"}}),
      "RELAYD_PASSWORD_FILE: cannot read /nowhere/secret: No such file or directory\n");
}

TEST(EnvironmentStart, TwoPasswordsAreOneTooMany) {
  EXPECT_EQ(refused({{"RELAYD_HOST", "h"},
                     {"RELAYD_USERNAME", "u"},
                     {"RELAYD_PASSWORD", "p"},
                     {"RELAYD_PASSWORD_FILE", "/nowhere"}}),
            "RELAYD_PASSWORD_FILE: RELAYD_PASSWORD is set too: one of them is enough\n");
}

TEST(EnvironmentStart, ARegionThatHasNoEffectIsAnError) {
  EXPECT_EQ(refused({{"RELAYD_HOST", "h"}, {"RELAYD_PROVIDER", "mailgun"}, {"RELAYD_REGION", "eu"}}),
            "RELAYD_REGION: it has no effect: RELAYD_HOST says where mail goes\n");
  EXPECT_EQ(refused({{"RELAYD_HOST", "h"}, {"RELAYD_REGION", "eu"}}),
            "RELAYD_REGION: only RELAYD_PROVIDER has regions\n");
}

TEST(EnvironmentStart, ListsHaveCommas) {
  const Config config = started({{"RELAYD_HOST", "h"},
                                 {"RELAYD_PORT", "465, 2465"},
                                 {"RELAYD_AUTH", "plain,login"},
                                 {"RELAYD_RATE", "5/s, 100/m"},
                                 {"RELAYD_QUOTA", "1000/day"}});
  const Upstream& upstream = config.upstreams.at(0);
  EXPECT_THAT(upstream.ports, ElementsAre(465, 2465));
  EXPECT_EQ(upstream.auth.size(), 2u);
  ASSERT_TRUE(upstream.limits.rate && upstream.limits.quota);
  EXPECT_EQ(upstream.limits.rate->size(), 2u);
  EXPECT_EQ(upstream.limits.quota->size(), 1u);
}

TEST(EnvironmentStart, AFromIsForcedOnAllMessages) {
  const Config config = started({{"RELAYD_HOST", "smtp.example.net"}, {"RELAYD_FROM", "app@example.com"}});
  ASSERT_EQ(config.changes.rewrite.size(), 1u);
  const RewriteRule& rule = config.changes.rewrite[0];
  EXPECT_EQ(rule.match, "*");
  EXPECT_EQ(rule.to, "app@example.com");
  EXPECT_TRUE(rule.sender && rule.from_fields && rule.keep_reply_to);
  EXPECT_FALSE(rule.recipient || rule.to_fields || rule.taken);
  EXPECT_EQ(refused({{"RELAYD_HOST", "smtp.example.net"}, {"RELAYD_FROM", "app"}}),
            "RELAYD_FROM: 'app' is not an address or @domain\n");
}

}  // namespace
}  // namespace relayd::config
