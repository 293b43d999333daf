#include "send/hosts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "send/smtp_transport.hpp"
#include "shared/async/scope.hpp"

namespace relayd::send {
namespace {

using async::IoError;
using async::IoFault;
using async::ServerName;
using async::ServerQuery;
using async::Task;
using testing::ElementsAre;
using testing::HasSubstr;

// DNS, as a test tells it; a name that is not told gives no answer.
class Names final : public async::Dialer {
 public:
  Task<std::unique_ptr<async::Stream>> dial(const std::string&, std::uint16_t, const async::TlsPolicy&,
                                            Deadline, std::stop_token) override {
    throw IoError(IoFault::refused, "nobody");
    co_return nullptr;
  }
  Task<std::vector<ServerName>> find_servers(const ServerQuery& query, Deadline, std::stop_token) override {
    asked.push_back(query.name);
    own = query.own;
    if (!servers.contains(query.name)) throw IoError(IoFault::resolve, query.name + ": no answer");
    co_return servers.at(query.name);
  }
  void leave_server(const ServerQuery&, const std::string& host) override { left.push_back(host); }

  std::map<std::string, std::vector<ServerName>> servers;
  std::vector<std::string> asked;
  std::string own;
  std::vector<std::string> left;
};

class HostsTest : public testing::Test {
 protected:
  HostsTest() {
    target.host = "example.net";
    target.port = 25;
    target.hostname = "us.example";
  }

  Task<void> run(Hosts& hosts) {
    try {
      co_await hosts.find(Deadline{}, {});
    } catch (const IoError& error) {
      fault = error.fault();
      failure = error.what();
    }
  }
  // The hosts in the order they are tried: "NAME PORT TLS CERTIFICATE".
  std::vector<std::string> tried() {
    Hosts hosts(names, target);
    async::Scope scope;
    scope.spawn(run(hosts));
    std::vector<std::string> list;
    if (!failure.empty()) return list;
    do {
      const Host& host = hosts.now();
      list.push_back(host.name + " " + std::to_string(host.port) + " " +
                     std::string(smtp::to_string(host.tls_mode)) + " " + host.tls.name +
                     (host.assured ? "" : " ?"));
    } while (hosts.leave());
    return list;
  }

  Names names;
  Target target;
  IoFault fault{};
  std::string failure;
};

TEST_F(HostsTest, AnOrdinaryHostIsAlone) {
  target.tls.name = "other.example";
  EXPECT_THAT(tried(), ElementsAre("example.net 25 starttls other.example"));
  EXPECT_THAT(names.asked, ElementsAre());
  EXPECT_THAT(names.left, ElementsAre());
}

TEST_F(HostsTest, MxHostsAreTriedInTurnEachUnderItsName) {
  target.mx = true;
  names.servers["example.net"] = {{"mx1.example.net"}, {"mx.other.example"}};
  EXPECT_THAT(tried(), ElementsAre("mx1.example.net 25 starttls mx1.example.net",
                                   "mx.other.example 25 starttls mx.other.example ?"));
  EXPECT_THAT(names.left, ElementsAre("mx1.example.net", "mx.other.example"));
  EXPECT_EQ(names.own, "us.example");
}

TEST_F(HostsTest, APasswordIsForHostsBelowTheDomain) {
  target.mx = target.login = true;
  names.servers["example.net"] = {{"evil.example"}, {"evilexample.net"}, {"mx.example.net"}};
  EXPECT_THAT(tried(), ElementsAre("mx.example.net 25 starttls mx.example.net"));
  names.servers["example.net"] = {{"evil.example"}};
  tried();
  EXPECT_EQ(fault, IoFault::tls);
  EXPECT_THAT(failure, HasSubstr("evil.example, which DNS names for example.net, gets no password"));
}

TEST_F(HostsTest, TheOperatorSaysWhoElseGetsThePassword) {
  target.mx = target.login = true;
  names.servers["example.net"] = {{"mx.provider.example"}};
  target.tls.name = "provider.example";
  EXPECT_THAT(tried(), ElementsAre("mx.provider.example 25 starttls provider.example"));
  target.tls.name.clear();
  target.tls.pins = {std::string(32, 'x')};
  EXPECT_THAT(tried(), ElementsAre("mx.provider.example 25 starttls mx.provider.example"));
}

TEST_F(HostsTest, ManyHostsAreNotAllTriedByOneConnection) {
  target.mx = true;
  for (int i = 0; i < 100; ++i)
    names.servers["example.net"].push_back({"mx" + std::to_string(i) + ".example.net"});
  EXPECT_EQ(tried().size(), Hosts::most);
}

TEST_F(HostsTest, SubmissionWithImplicitTlsComesFirst) {
  target.srv = {TlsMode::implicit, TlsMode::starttls};
  names.servers["_submissions._tcp.example.net"] = {{"a.example.net", 465}};
  names.servers["_submission._tcp.example.net"] = {{"b.example.net", 587}};
  EXPECT_THAT(tried(), ElementsAre("a.example.net 465 implicit a.example.net",
                                   "b.example.net 587 starttls b.example.net"));
}

TEST_F(HostsTest, OneServiceThatCannotBeLookedUpLeavesTheOther) {
  target.srv = {TlsMode::implicit, TlsMode::starttls};
  names.servers["_submission._tcp.example.net"] = {{"b.example.net", 587}};
  EXPECT_THAT(tried(), ElementsAre("b.example.net 587 starttls b.example.net"));
  names.servers["_submission._tcp.example.net"].clear();
  tried();
  EXPECT_EQ(failure, "_submissions._tcp.example.net: no answer");
}

TEST_F(HostsTest, ADomainWithoutServersForSubmissionIsNamed) {
  target.srv = {TlsMode::starttls};
  names.servers["_submission._tcp.example.net"] = {};
  tried();
  EXPECT_EQ(fault, IoFault::resolve);
  EXPECT_EQ(failure,
            "example.net names no server for submission, by _submission._tcp.example.net; mail waits");
}

}  // namespace
}  // namespace relayd::send
