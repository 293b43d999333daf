// The keys of receivers of webhooks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using enum WebhookEvent;

constexpr std::string_view rest =
    "upstreams: {office: {host: smtp.example.net}}\n"
    "senders: [{match: '@example.com', upstream: office}]\n";

Webhook webhook(const std::string& text) {
  return good(std::string(rest) + "webhooks: [{" + text + "}]\n").webhooks.at(0);
}
std::string complaints(const std::string& text) {
  return errors(std::string(rest) + "webhooks: [{" + text + "}]\n");
}

TEST(WebhookKeys, WithoutThemNobodyIsTold) {
  EXPECT_THAT(good(rest).webhooks, SizeIs(0));
}

TEST(WebhookKeys, HaveTheirDefaults) {
  const Webhook read = webhook("url: 'https://a.example/hook', secret: whsec_x");
  EXPECT_EQ(read.url, "https://a.example/hook");
  EXPECT_THAT(read.events, ElementsAre(delivered, failed, expired, suppressed, account_failing, account_ok));
  ASSERT_THAT(read.secrets, SizeIs(1));
  EXPECT_EQ(read.secrets[0].literal.reveal(), "whsec_x");
  EXPECT_EQ(read.ca_file, "");
  EXPECT_EQ(read.proxy, "");
  EXPECT_FALSE(read.private_network);
  EXPECT_FALSE(read.insecure);
  EXPECT_EQ(read.size, 64_MiB);
}

TEST(WebhookKeys, HaveAllTheirFields) {
  const Folder folder;
  const std::string ca = folder.write("ca.pem", "x");
  const std::string secret = folder.write("new", "whsec_new\n");
  const Webhook read =
      webhook("url: 'https://a.example', events: [deferred, failed], secret: [{file: " + secret +
              "}, whsec_old], ca_file: " + ca +
              ", proxy: 'http://proxy.example:3128', private: true, insecure: true, size: 1MiB");
  EXPECT_THAT(read.events, ElementsAre(deferred, failed));
  ASSERT_THAT(read.secrets, SizeIs(2));
  EXPECT_EQ(read.secrets[0].read()->reveal(), "whsec_new");
  EXPECT_EQ(read.secrets[1].literal.reveal(), "whsec_old");
  EXPECT_EQ(read.ca_file, ca);
  EXPECT_EQ(read.proxy, "http://proxy.example:3128");
  EXPECT_TRUE(read.private_network);
  EXPECT_TRUE(read.insecure);
  EXPECT_EQ(read.size, 1_MiB);
}

TEST(WebhookKeys, HttpIsForLoopbackUnlessTheOperatorWantsIt) {
  for (const char* host : {"127.0.0.1:8080", "localhost", "[::1]:8080"})
    EXPECT_EQ(complaints(std::string("url: 'http://") + host + "/', secret: whsec_x"), "") << host;
  EXPECT_THAT(complaints("url: 'http://a.example/', secret: whsec_x"), HasSubstr("insecure: true"));
  EXPECT_EQ(complaints("url: 'http://a.example/', secret: whsec_x, insecure: true"), "");
}

TEST(WebhookKeys, AnAddressOfAPrivateNetworkSaysItself) {
  for (const char* host : {"10.1.2.3", "192.168.0.1", "[fd00::1]"})
    EXPECT_EQ(complaints(std::string("url: 'https://") + host + "/', secret: whsec_x"), "") << host;
  for (const char* host :
       {"169.254.169.254", "100.100.100.200", "[fe80::1]", "0.0.0.0", "[::ffff:169.254.1.1]"})
    EXPECT_THAT(complaints(std::string("url: 'https://") + host + "/', secret: whsec_x, private: true"),
                HasSubstr("nothing is sent to"))
        << host;
}

TEST(WebhookKeys, AProxyIsChecked) {
  for (const char* host : {"169.254.169.254", "[fe80::1]"})
    EXPECT_THAT(complaints(std::string("url: 'https://a.example/', secret: whsec_x, proxy: 'http://") + host +
                           ":3128'"),
                HasSubstr("nothing is sent to"))
        << host;
  EXPECT_EQ(complaints("url: 'https://a.example/', secret: whsec_x, proxy: 'http://10.0.0.1:3128'"), "");
}

TEST(WebhookKeys, TheSecretOfAUrlIsNotShown) {
  const std::string url = "url: 'https://169.254.169.254/hook?key=hunter2', secret: whsec_x";
  const std::string told = errors(std::string(rest) + "webhooks: [{" + url + "}, {" + url + "}]\n");
  EXPECT_THAT(told, HasSubstr("another receiver has this URL (in line 3)"));
  EXPECT_THAT(told, testing::Not(HasSubstr("hunter2")));
}

}  // namespace
}  // namespace relayd::config
