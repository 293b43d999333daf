// What the tests of TLS share: an authority, servers with certificates of any shape, clients that trust it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "shared/net/certificates.hpp"
#include "shared/net/tls_pair.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::test {

class TlsTest : public testing::Test {
 protected:
  using Chain = std::vector<const Certificate*>;

  std::string write(const std::string& text) {
    const std::string path = folder.path() / (std::to_string(++files) + ".pem");
    std::ofstream(path) << text;
    return path;
  }

  // Shows the chain, leaf first.
  std::shared_ptr<net::TlsServerContext> server(const Chain& chain) {
    std::string certificates;
    for (const Certificate* certificate : chain) certificates += certificate->pem();
    auto made = net::TlsServerContext::create({{write(certificates), write(chain.front()->key_pem())}});
    EXPECT_TRUE(made) << made.error();
    return *made;
  }
  std::shared_ptr<net::TlsServerContext> server(const CertificateShape& shape) {
    const Certificate leaf(shape, &authority);
    return server(Chain{&leaf});
  }

  net::TlsClient client(const async::TlsPolicy& policy) {
    auto made = net::TlsClientContext::create(policy);
    EXPECT_TRUE(made) << made.error();
    return {*made, {policy.name, 465, policy.account}};
  }

  // Why the client refuses; empty: it does not, and the credential has arrived.
  std::string refusal(std::shared_ptr<net::TlsServerContext> from, const async::TlsPolicy& policy) {
    TlsPair pair(client(policy), std::move(from));
    pair.run();
    EXPECT_EQ(pair.received().empty(), !pair.problem().empty()) << pair.problem();
    EXPECT_EQ(pair.facts().verified, pair.problem().empty());
    return pair.problem();
  }
  std::string refusal(const CertificateShape& shape) { return refusal(server(shape), trusting); }

  TemporaryDirectory folder;
  int files = 0;
  Certificate authority{{.common_name = "Test CA", .authority = true}};
  async::TlsPolicy trusting{.name = "mail.example", .ca_file = write(authority.pem())};
};

}  // namespace relayd::test
