#include "relay/webhook_secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

config::SecretSource literal(std::string text, int line = 0) {
  config::SecretSource source;
  source.kind = config::SecretSource::Kind::literal;
  source.literal = Secret(std::move(text));
  source.where = {line, 1};
  return source;
}

struct WebhookSecretsTest : testing::Test {
  config::Config config;
  WebhookSecretsTest() {
    config.file = "relayd.yaml";
    config.webhooks.resize(2);
    config.webhooks[0].secrets = {literal("whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh")};
    config.webhooks[1].secrets = {literal("whsec_YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJi"),
                                  literal("whsec_Y2NjY2NjY2NjY2NjY2NjY2NjY2NjY2Nj", 7)};
  }
};

TEST_F(WebhookSecretsTest, AreTheOctetsOfEachReceiver) {
  const WebhookSecretsResult read = read_webhook_secrets(config);
  EXPECT_THAT(read.errors, IsEmpty());
  EXPECT_THAT(read.secrets, ElementsAre(ElementsAre(std::string(24, 'a')),
                                        ElementsAre(std::string(24, 'b'), std::string(24, 'c'))));
}

TEST_F(WebhookSecretsTest, OneOfAnotherFormIsAnErrorAtItsPlaceThatDoesNotShowIt) {
  config.webhooks[1].secrets[1].literal = Secret(std::string("hunter2"));
  const WebhookSecretsResult read = read_webhook_secrets(config);
  ASSERT_THAT(read.errors, SizeIs(1));
  EXPECT_THAT(config::to_string(read.errors[0]), HasSubstr("relayd.yaml:7:1: "));
  EXPECT_THAT(read.errors[0].text, Not(HasSubstr("hunter2")));
  config.webhooks[0].secrets[0].kind = config::SecretSource::Kind::file;
  config.webhooks[0].secrets[0].name = "/dev/null/none";
  EXPECT_THAT(read_webhook_secrets(config).errors, SizeIs(2));
}

}  // namespace
}  // namespace relayd
