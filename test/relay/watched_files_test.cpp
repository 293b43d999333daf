#include "relay/watched_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace relayd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

config::SecretSource file(const char* path) {
  config::SecretSource source;
  source.kind = config::SecretSource::Kind::file;
  source.name = path;
  return source;
}

TEST(WatchedFiles, AreThoseThatAreReadWhenAConfigurationIsLoaded) {
  config::Config config;
  EXPECT_THAT(watched_files(config), IsEmpty());
  config.certificates.push_back({"/chain.pem", "/key.pem", {}});
  config.accounts.resize(2);
  config.accounts[0].password = file("/password");
  config.accounts[1].scram_sha_256 = file("/scram");
  config.tables.push_back({"a", "/table", "", {}});
  config.tables.push_back({"b", "", "/patterns", {}});
  config.dkim.resize(1);
  config.dkim[0].key = "/dkim.pem";
  config.webhooks.resize(1);
  config.webhooks[0].secrets = {file("/webhook"), file("/old-webhook")};
  config.webhooks[0].ca_file = "/receiver-ca.pem";
  config.aliases_file = "/aliases";
  config.senders_file = "/senders.csv";
  config.accounts_file = "/accounts";
  EXPECT_THAT(watched_files(config),
              UnorderedElementsAre("/chain.pem", "/key.pem", "/password", "/scram", "/table", "/patterns",
                                   "/dkim.pem", "/webhook", "/old-webhook", "/receiver-ca.pem", "/aliases",
                                   "/senders.csv", "/accounts"));
}

TEST(WatchedFiles, AreNotSecretsFromElsewhere) {
  config::Config config;
  config.accounts.resize(1);
  config.accounts[0].password = file("NAME");
  config.accounts[0].password.kind = config::SecretSource::Kind::environment;
  EXPECT_THAT(watched_files(config), IsEmpty());
}

TEST(WatchedFiles, OfUpstreamsAreNamedAlone) {
  config::Config config;
  config.accounts_file = "/accounts";
  config.upstreams.resize(1);
  config.upstreams[0].password = file("/password");
  config.upstreams[0].tls_options.ca_file = "/ca.pem";
  config.upstreams[0].tls_options.client_certificate = "/client.pem";
  config.upstreams[0].tls_options.client_key = "/client.key";
  config.senders.resize(1);
  config.senders[0].next_password = file("/next");
  config.senders[0].upstreams.resize(1);
  config.senders[0].upstreams[0].password = file("/inner");
  EXPECT_THAT(watched_files(config), ElementsAre("/accounts"));
  EXPECT_THAT(named_files(config), UnorderedElementsAre("/accounts", "/password", "/ca.pem", "/client.pem",
                                                        "/client.key", "/next", "/inner"));
}

}  // namespace
}  // namespace relayd
