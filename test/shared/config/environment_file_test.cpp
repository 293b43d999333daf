// What an environment means as a file reads back as the same.
#include <gtest/gtest.h>

#include "shared/config/environment.hpp"
#include "shared/config/yaml_text.hpp"

namespace relayd::config {
namespace {

TEST(EnvironmentFileTest, ReadsBackAsTheSame) {
  const Environment environment = {{"RELAYD_HOST", "smtp.example.net"},
                                   {"RELAYD_PORT", "465"},
                                   {"RELAYD_TLS", "implicit"},
                                   {"RELAYD_USERNAME", "a${HOME}\"\\b"},
                                   {"RELAYD_PASSWORD", "secret"},
                                   {"RELAYD_LISTEN", "127.0.0.1:2525, [::1]:2525"},
                                   {"RELAYD_ALLOW", "127.0.0.0/8,::1"},
                                   {"RELAYD_HOSTNAME", "relay.example.com"},
                                   {"RELAYD_QUEUE_DIRECTORY", "/srv/a b"},
                                   {"RELAYD_FROM", "noreply@example.com"},
                                   {"RELAYD_BOUNCE_FROM", "bounce@example.com"}};
  const Result<std::string> text = file_of_environment(environment);
  ASSERT_TRUE(text) << text.error();
  EXPECT_EQ(text->find("secret"), std::string::npos) << *text;
  const Loaded file = load_text(*text, "relayd.yaml", environment);
  for (const Diagnostic& error : file.errors) ADD_FAILURE() << to_string(error) << '\n' << *text;
  const Loaded direct = load_environment(environment);
  ASSERT_TRUE(file.config && direct.config);
  const Upstream& a = file.config->upstreams.front();
  const Upstream& b = direct.config->upstreams.front();
  EXPECT_EQ(a.host, b.host);
  EXPECT_EQ(a.ports, b.ports);
  EXPECT_EQ(a.tls, b.tls);
  EXPECT_EQ(a.username, b.username);
  EXPECT_EQ(*a.username, "a${HOME}\"\\b");
  EXPECT_EQ(a.password.kind, SecretSource::Kind::environment);
  EXPECT_EQ(a.password.name, "RELAYD_PASSWORD");
  EXPECT_EQ(file.config->hostname, direct.config->hostname);
  EXPECT_EQ(file.config->queue.directory, direct.config->queue.directory);
  ASSERT_EQ(file.config->listeners.size(), 2U);
  EXPECT_EQ(file.config->listeners[1].address, direct.config->listeners[1].address);
  EXPECT_EQ(file.config->listeners[1].allow.size(), direct.config->listeners[1].allow.size());
  EXPECT_EQ(file.config->changes.rewrite.size(), direct.config->changes.rewrite.size());
  EXPECT_EQ(file.config->bounce.from, "bounce@example.com");
}

TEST(EnvironmentFileTest, TheNameOfASecretsFileIsNoSecret) {
  const Environment environment = {{"RELAYD_HOST", "smtp.example.net"},
                                   {"RELAYD_USERNAME", "a"},
                                   {"RELAYD_PASSWORD_FILE", "/run/secrets/key"}};
  const Result<std::string> text = file_of_environment(environment);
  ASSERT_TRUE(text);
  EXPECT_NE(text->find("file: \"/run/secrets/key\""), std::string::npos) << *text;
}

TEST(EnvironmentFileTest, WithoutAWayThereIsNoFile) {
  const Result<std::string> text = file_of_environment({{"RELAYD_HOSTNAME", "x.example.com"}});
  ASSERT_FALSE(text);
  EXPECT_NE(text.error().find("RELAYD_PROVIDER"), std::string::npos);
}

TEST(YamlTextTest, QuotesWhatYamlAndTheReaderWouldObey) {
  EXPECT_EQ(yaml_quoted("a b"), "\"a b\"");
  EXPECT_EQ(yaml_quoted("\"\\${X}\n\x7f"), "\"\\\"\\\\$${X}\\x0a\\x7f\"");
  EXPECT_EQ(yaml_quoted(""), "\"\"");
}

}  // namespace
}  // namespace relayd::config
