// What a client refuses, and in which words. No octet of a credential reaches a server that is refused.
#include <openssl/ssl.h>

#include "shared/net/tls_fixture.hpp"

namespace relayd::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using namespace std::chrono_literals;

class TlsRefusal : public TlsTest {
 protected:
  CertificateShape named(const std::string& name) { return {.common_name = name, .dns_names = {name}}; }
  std::string refusal_of_name(const std::string& certified, const std::string& asked) {
    async::TlsPolicy policy = trusting;
    policy.name = asked;
    return refusal(server(named(certified)), policy);
  }
};

TEST_F(TlsRefusal, AGoodCertificateIsNotRefused) {
  EXPECT_EQ(refusal(CertificateShape{}), "");
  EXPECT_EQ(refusal_of_name("*.example.net", "mail.example.net"), "");
  EXPECT_EQ(refusal_of_name("mail.example", "mail.example."), "");
  EXPECT_EQ(refusal(CertificateShape{.rsa_bits = 2048}), "");
}

TEST_F(TlsRefusal, AnotherNameIsToldWithThoseItHas) {
  const CertificateShape shape{.dns_names = {"one.example", "two.example"}, .address = "192.0.2.1"};
  EXPECT_EQ(refusal(shape),
            "the certificate is for one.example, two.example, 192.0.2.1, not for mail.example: "
            "correct `host`, or set tls_options.name");
}

TEST_F(TlsRefusal, AWildcardTwoLabelsDeep) {
  EXPECT_THAT(refusal_of_name("*.example.net", "a.mail.example.net"),
              HasSubstr("is for *.example.net, not for"));
}

TEST_F(TlsRefusal, AWildcardForEverything) {
  EXPECT_THAT(refusal_of_name("*", "mail.example"), HasSubstr("is for *, not for mail.example"));
  EXPECT_THAT(refusal_of_name("*", "mail"), HasSubstr("is for *, not for mail"));
}

TEST_F(TlsRefusal, APartialWildcard) {
  EXPECT_THAT(refusal_of_name("m*.example.net", "mail.example.net"), HasSubstr("not for mail.example.net"));
}

TEST_F(TlsRefusal, ACommonNameAlone) {
  EXPECT_THAT(refusal(CertificateShape{.dns_names = {}}), HasSubstr("is for no host name at all, not for"));
}

TEST_F(TlsRefusal, AnAddressThatOnlyADnsNameSpells) {
  EXPECT_THAT(refusal_of_name("127.0.0.1", "127.0.0.1"), HasSubstr("not for the address 127.0.0.1"));
}

TEST_F(TlsRefusal, ANulInAName) {
  EXPECT_THAT(refusal_of_name(std::string("mail.example\0.evil.example", 26), "mail.example"),
              HasSubstr("is for mail.example?.evil.example, not for mail.example"));
}

TEST_F(TlsRefusal, AnExpiredCertificate) {
  EXPECT_THAT(refusal(CertificateShape{.from = wall_now() - 48h, .until = wall_now() - 1h}),
              AllOf(HasSubstr("the certificate expired on "), HasSubstr("GMT")));
}

TEST_F(TlsRefusal, ACertificateOfTomorrow) {
  EXPECT_THAT(refusal(CertificateShape{.from = wall_now() + 24h, .until = wall_now() + 48h}),
              AllOf(HasSubstr("is not valid before "), HasSubstr("is this machine's clock right?")));
}

TEST_F(TlsRefusal, ASelfSignedCertificate) {
  const Certificate lonely((CertificateShape()));
  EXPECT_THAT(refusal(server(Chain{&lonely}), trusting),
              HasSubstr("self-signed: put it into tls_options.ca_file"));
  EXPECT_EQ(refusal(server(Chain{&lonely}), {.name = "mail.example", .ca_file = write(lonely.pem())}), "");
}

TEST_F(TlsRefusal, AnUnknownAuthority) {
  const Certificate stranger({.common_name = "Stranger CA", .authority = true});
  const Certificate leaf(CertificateShape{}, &stranger);
  EXPECT_THAT(refusal(server(Chain{&leaf, &stranger}), trusting),
              HasSubstr("unknown CA (CN = Stranger CA): put it into tls_options.ca_file"));
}

TEST_F(TlsRefusal, AChainWithoutItsMiddle) {
  const Certificate middle({.common_name = "Middle CA", .authority = true}, &authority);
  const Certificate leaf(CertificateShape{}, &middle);
  EXPECT_EQ(refusal(server(Chain{&leaf, &middle}), trusting), "");
  EXPECT_THAT(refusal(server(Chain{&leaf}), trusting),
              AllOf(HasSubstr("issued by CN = Middle CA"), HasSubstr("chain is incomplete")));
}

TEST_F(TlsRefusal, AnExpiredMiddle) {
  const Certificate middle({.common_name = "Old CA", .authority = true, .until = wall_now() - 1min},
                           &authority);
  const Certificate leaf(CertificateShape{}, &middle);
  EXPECT_THAT(refusal(server(Chain{&leaf, &middle}), trusting),
              HasSubstr("the authority's certificate (CN = Old CA) expired on"));
}

TEST_F(TlsRefusal, AMiddleThatIsNoAuthority) {
  const Certificate middle(named("mail.example"), &authority);
  const Certificate leaf(CertificateShape{}, &middle);
  EXPECT_NE(refusal(server(Chain{&leaf, &middle}), trusting), "");
}

TEST_F(TlsRefusal, ACertificateForClients) {
  EXPECT_THAT(refusal(CertificateShape{.usage = "clientAuth"}), HasSubstr("not made for a server"));
}

TEST_F(TlsRefusal, AShortRsaKey) {
  EXPECT_THAT(refusal(CertificateShape{.rsa_bits = 1024}), HasSubstr("too short: RSA with 1024 bits"));
}

TEST_F(TlsRefusal, ASignatureWithSha1) {
  EXPECT_NE(refusal(CertificateShape{.digest = EVP_sha1()}), "");
  const Certificate middle({.common_name = "Weak CA", .authority = true, .digest = EVP_sha1()}, &authority);
  const Certificate leaf(CertificateShape{}, &middle);
  EXPECT_THAT(refusal(server(Chain{&leaf, &middle}), trusting),
              HasSubstr("CN = Weak CA is signed with SHA1"));
}

TEST_F(TlsRefusal, AChainOfAHundred) {
  std::vector<std::unique_ptr<Certificate>> made;
  const Certificate* issuer = &authority;
  for (int i = 0; i < 99; ++i)
    issuer = made
                 .emplace_back(std::make_unique<Certificate>(
                     CertificateShape{.common_name = "CA " + std::to_string(i), .authority = true}, issuer))
                 .get();
  const Certificate leaf(CertificateShape{}, issuer);
  Chain chain{&leaf};
  for (auto link = made.rbegin(); link != made.rend(); ++link) chain.push_back(link->get());
  EXPECT_THAT(refusal(server(chain), trusting), HasSubstr("chain is too long"));
}

TEST_F(TlsRefusal, OldVersions) {
  for (const std::uint16_t version : {TLS1_VERSION, TLS1_1_VERSION}) {
    const auto old = server(CertificateShape{});
    SSL_CTX_set_strict_cipher_list(old->native(), "ALL");
    SSL_CTX_set_min_proto_version(old->native(), version);
    SSL_CTX_set_max_proto_version(old->native(), version);
    EXPECT_EQ(refusal(old, trusting), "no common TLS version: the server refuses TLS 1.2 and 1.3");
  }
}

TEST_F(TlsRefusal, LessThanTheVersionDemanded) {
  const auto old = server(CertificateShape{});
  SSL_CTX_set_max_proto_version(old->native(), TLS1_2_VERSION);
  async::TlsPolicy policy = trusting;
  EXPECT_EQ(refusal(old, policy), "");
  policy.tls1_3_only = true;
  EXPECT_THAT(refusal(old, policy), HasSubstr("no common TLS version: the server refuses TLS 1.3"));
}

TEST_F(TlsRefusal, NoCipherInCommon) {
  const auto odd = server(CertificateShape{});
  SSL_CTX_set_max_proto_version(odd->native(), TLS1_2_VERSION);
  SSL_CTX_set_strict_cipher_list(odd->native(), "ECDHE-ECDSA-AES128-SHA");
  EXPECT_EQ(refusal(odd, trusting), "the server refuses the TLS handshake (alert \"handshake failure\")");
}

TEST_F(TlsRefusal, AKeyThatIsNotPinned) {
  const Certificate leaf(CertificateShape{}, &authority);
  const Certificate other(CertificateShape{}, &authority);
  async::TlsPolicy policy = trusting;
  policy.pins = {other.pin(), leaf.pin()};
  EXPECT_EQ(refusal(server(Chain{&leaf}), policy), "");
  policy.pins = {other.pin()};
  EXPECT_THAT(refusal(server(Chain{&leaf}), policy),
              testing::MatchesRegex(
                  "the server's key is none of tls_options.pin_sha256; its pin is [A-Za-z0-9+/]{43}="));
  policy.pins = {leaf.pin()};
  policy.name = "another.example";
  EXPECT_THAT(refusal(server(Chain{&leaf}), policy), HasSubstr("not for another.example"));
}

TEST_F(TlsRefusal, AServerThatSpeaksNoTls) {
  net::TlsEngine engine(client(trusting));
  engine.handshake();
  engine.input("220 mail.example ESMTP\r\n");
  try {
    engine.handshake();
    FAIL();
  } catch (const async::IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("the server answers, but not in TLS"));
  }
}

TEST_F(TlsRefusal, AServerThatDemandsAClientCertificate) {
  const Certificate ours({.common_name = "relay", .dns_names = {}, .usage = "clientAuth"}, &authority);
  const Certificate foreign({.common_name = "relay", .dns_names = {}, .usage = "clientAuth"});
  for (const std::uint16_t version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto strict = server(CertificateShape{});
    SSL_CTX_set_max_proto_version(strict->native(), version);
    SSL_CTX_load_verify_locations(strict->native(), trusting.ca_file.c_str(), nullptr);
    SSL_CTX_set_verify(strict->native(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    const auto problem = [&](const async::TlsPolicy& policy) {
      return TlsPair(client(policy), strict).run().problem();
    };
    EXPECT_EQ(problem(trusting),
              "the server demands a client certificate: set tls_options.client_certificate and client_key");
    async::TlsPolicy policy = trusting;
    policy.client_certificate = write(ours.pem());
    policy.client_key = write(ours.key_pem());
    EXPECT_EQ(problem(policy), "");
    policy.client_certificate = write(foreign.pem());
    policy.client_key = write(foreign.key_pem());
    EXPECT_THAT(problem(policy), HasSubstr("the server refuses our client certificate"));
  }
}

TEST_F(TlsRefusal, AClientKeyOfAnotherCertificateIsNamed) {
  async::TlsPolicy policy = trusting;
  policy.client_certificate = write(Certificate(CertificateShape{}).pem());
  policy.client_key = write(Certificate(CertificateShape{}).key_pem());
  const auto made = net::TlsClientContext::create(policy);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error(), AllOf(HasSubstr(policy.client_key), HasSubstr(policy.client_certificate)));
}

}  // namespace
}  // namespace relayd::test
