// Sessions: resumed where they may be, and nowhere else. Channel bindings: equal at both ends.
#include <openssl/ssl.h>

#include "shared/net/tls_fixture.hpp"

namespace relayd::test {
namespace {

using testing::HasSubstr;

class TlsSession : public TlsTest {
 protected:
  bool resumed(const net::TlsClient& client) {
    TlsPair pair(client, upstream);
    pair.run();
    EXPECT_EQ(pair.problem(), "");
    EXPECT_TRUE(pair.facts().verified);
    return pair.facts().resumed;
  }
  void only(std::uint16_t version) { SSL_CTX_set_max_proto_version(upstream->native(), version); }

  Certificate leaf{CertificateShape{}, &authority};
  std::shared_ptr<net::TlsServerContext> upstream = server(Chain{&leaf});
};

TEST_F(TlsSession, IsResumedWithEachVersion) {
  for (const std::uint16_t version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    only(version);
    const net::TlsClient mine = client(trusting);
    EXPECT_FALSE(resumed(mine));
    EXPECT_TRUE(resumed(mine));
    EXPECT_TRUE(resumed(mine));
  }
}

TEST_F(TlsSession, ATicketOfTls13IsUsedOnce) {
  const net::TlsClient mine = client(trusting);
  EXPECT_FALSE(resumed(mine));
  int tickets = 0;
  while (mine.context->sessions().take(mine.peer)) ++tickets;
  EXPECT_GT(tickets, 0);
  EXPECT_FALSE(resumed(mine));
}

TEST_F(TlsSession, IsForOneHostPortAndAccount) {
  const net::TlsClient mine = client(trusting);
  EXPECT_FALSE(resumed(mine));
  for (const net::TlsPeer& other :
       {net::TlsPeer{"mail.example", 465, "another"}, net::TlsPeer{"mail.example", 587, ""},
        net::TlsPeer{"b.example", 465, ""}})
    EXPECT_FALSE(mine.context->sessions().take(other));
  EXPECT_TRUE(resumed(mine));
}

TEST_F(TlsSession, OfAnUnverifiedConnectionNeverServesAVerifiedOne) {
  async::TlsPolicy blind = trusting;
  blind.verify = false;
  TlsPair pair(client(blind), upstream);
  EXPECT_EQ(pair.run().problem(), "");
  EXPECT_FALSE(pair.facts().verified);
  EXPECT_FALSE(resumed(client(trusting)));
}

// Whatever has changed since the session began: here the trust, moved under it by hand.
TEST_F(TlsSession, ACertificateIsJudgedAgainWhenItsSessionIsResumed) {
  const Certificate stranger({.common_name = "Stranger CA", .authority = true});
  async::TlsPolicy distrusting = trusting;
  distrusting.ca_file = write(stranger.pem());
  async::TlsPolicy pinning = trusting;
  pinning.pins = {stranger.pin()};
  for (const std::uint16_t version : {TLS1_3_VERSION, TLS1_2_VERSION}) {
    only(version);
    for (const async::TlsPolicy& policy : {distrusting, pinning}) {
      const net::TlsClient before = client(trusting);
      EXPECT_FALSE(resumed(before));
      const net::TlsClient after = client(policy);
      after.context->sessions().put(after.peer, before.context->sessions().take(before.peer));
      TlsPair pair(after, upstream);
      EXPECT_THAT(pair.run().problem(), testing::AnyOf(HasSubstr("issued by CN = Test CA"),
                                                       HasSubstr("none of tls_options.pin_sha256")));
      EXPECT_EQ(pair.received(), "");
      EXPECT_FALSE(after.context->sessions().take(after.peer));
    }
  }
}

TEST_F(TlsSession, AreBoundedAndTheOldestGoes) {
  only(TLS1_2_VERSION);
  const net::TlsClient mine = client(trusting);
  EXPECT_FALSE(resumed(mine));
  net::TlsSessions& sessions = mine.context->sessions();
  const auto peer = [](std::size_t port) {
    return net::TlsPeer{"mail.example", static_cast<std::uint16_t>(port), "account"};
  };
  for (std::size_t port = 0; port < net::TlsSessions::peers_limit; ++port)
    sessions.put(peer(port), sessions.take(port == 0 ? mine.peer : peer(port - 1)));
  EXPECT_FALSE(sessions.take(mine.peer));
  EXPECT_TRUE(sessions.take(peer(0)));
  EXPECT_TRUE(sessions.take(peer(net::TlsSessions::peers_limit - 1)));
}

TEST_F(TlsSession, GoWithTheFilesTheyCameUnder) {
  async::TlsPolicy policy = trusting;
  policy.ca_file = write(authority.pem());
  const net::TlsClient mine = client(policy);
  EXPECT_TRUE(mine.context->current());
  std::ofstream(policy.ca_file, std::ios::app) << "\n";
  EXPECT_FALSE(mine.context->current());
}

TEST_F(TlsSession, ChannelBindingsAreEqualAtBothEnds) {
  const auto binding = [this](std::uint16_t version) {
    only(version);
    TlsPair pair(client(trusting), upstream);
    pair.run();
    const auto ours = pair.client().channel_binding();
    const auto theirs = pair.server().channel_binding();
    EXPECT_TRUE(ours && theirs);
    EXPECT_EQ(ours->type, theirs->type);
    EXPECT_EQ(ours->data, theirs->data);
    return *ours;
  };
  EXPECT_EQ(binding(TLS1_3_VERSION).type, "tls-exporter");  // RFC 9266
  EXPECT_EQ(binding(TLS1_3_VERSION).data.size(), 32u);
  EXPECT_EQ(binding(TLS1_2_VERSION).type, "tls-unique");  // RFC 5929
  EXPECT_EQ(binding(TLS1_2_VERSION).data.size(), 12u);
  EXPECT_NE(binding(TLS1_2_VERSION).data, binding(TLS1_2_VERSION).data);
}

}  // namespace
}  // namespace relayd::test
