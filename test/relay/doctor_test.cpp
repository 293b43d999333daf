// Doctor: addresses of a host, what it makes of those that fail, and how long it waits.
#include "relay/doctor.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "relay/doctor_text.hpp"
#include "support/fake_upstream.hpp"
#include "support/manual_loop.hpp"
#include "support/scripted_stream.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using async::IoError;
using async::IoFault;
using async::Task;
using watch::Finding;
using watch::Health;
using watch::Step;

// Reaches the upstream, but at addresses that are broken.
class Network final : public async::Dialer {
 public:
  explicit Network(test::ManualLoop& loop) : server(loop), loop_(loop) {}

  Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                            const async::TlsPolicy& policy, Deadline deadline,
                                            std::stop_token stop) override {
    dialled.insert(host);
    if (unreachable.contains(host)) throw IoError(IoFault::unreachable, "Network is unreachable");
    if (swallowed.contains(host)) {
      async::Event never;
      const std::stop_callback on_stop(stop, [&] { loop_.post([&never] { never.set(); }); });
      co_await never;
      throw IoError(IoFault::cancelled, "the connection was closed by us");
    }
    Task<std::unique_ptr<async::Stream>> dialling = server.dial(host, port, policy, deadline, stop);
    std::unique_ptr<async::Stream> stream = co_await dialling;
    co_return stream;
  }

  test::FakeUpstream server;
  std::set<std::string> dialled, unreachable, swallowed;

 private:
  test::ManualLoop& loop_;
};

class DoctorTest : public testing::Test {
 protected:
  config::Upstream& add(const std::string& name) {
    config::Upstream& upstream = config->upstreams.emplace_back();
    upstream.name = name;
    upstream.host = name + ".example.net";
    upstream.ports = {25};
    upstream.tls = config::TlsMode::none;
    config::SenderRule& rule = config->senders.emplace_back();
    rule.match = "a@" + name + ".example";
    rule.upstreams.push_back({.name = name});
    return upstream;
  }

  std::vector<Finding> examine(DoctorOrder order = {}) {
    const route::Router::Built built = route::Router::build(config);
    for (const config::Diagnostic& error : built.errors) ADD_FAILURE() << error.text;
    Doctor doctor({loop, workers, network,
                   [this](const std::string& host, Deadline, std::stop_token) { return resolve(host); }});
    return test::drive(loop, doctor.examine(built.router, std::move(order)));
  }
  Task<std::vector<std::string>> resolve(std::string host) {
    co_await async::sleep_until(loop, loop.now());
    const auto found = hosts.find(host);
    if (found == hosts.end()) throw IoError(IoFault::resolve, host + " does not resolve");
    co_return found->second;
  }
  static std::vector<Finding> only(const std::vector<Finding>& findings, Health health) {
    std::vector<Finding> some;
    for (const Finding& finding : findings)
      if (finding.health == health) some.push_back(finding);
    return some;
  }

  test::ManualLoop loop;
  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  std::map<std::string, std::vector<std::string>> hosts;
  Network network{loop};
  async::Workers workers{loop, 1};
};

TEST_F(DoctorTest, BrokenIpv6IsAWarningWhileIpv4Works) {
  add("office");
  hosts["office.example.net"] = {"2001:db8::1", "192.0.2.1"};
  network.unreachable = {"2001:db8::1"};
  const std::vector<Finding> findings = examine();
  EXPECT_EQ(worst(findings), Health::warning);
  const std::vector<Finding> warnings = only(findings, Health::warning);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].step, Step::connect);
  EXPECT_EQ(warnings[0].at, "[2001:db8::1]:25");
  EXPECT_EQ(warnings[0].text, "Network is unreachable");
  EXPECT_TRUE(warnings[0].advice.starts_with(
      "IPv6 does not work there, and mail goes by IPv4 (192.0.2.1), each time after a moment: mend"))
      << warnings[0].advice;
  EXPECT_EQ(network.dialled, (std::set<std::string>{"2001:db8::1", "192.0.2.1"}));
}

TEST_F(DoctorTest, BrokenIpv6FailsWhereThereIsNothingElse) {
  add("office");
  hosts["office.example.net"] = {"2001:db8::1"};
  network.unreachable = {"2001:db8::1"};
  const std::vector<Finding> failed = only(examine(), Health::failed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].advice.find("IPv4"), std::string::npos);
}

TEST_F(DoctorTest, EachAddressIsTriedAndTheSenderIsAskedForOnce) {
  add("office");
  hosts["office.example.net"] = {"192.0.2.1", "192.0.2.2"};
  int asked = 0;
  network.server.answer = [&](std::string_view command, const std::string&) {
    asked += command.starts_with("MAIL FROM:<a@office.example>");
    return std::string();
  };
  const std::vector<Finding> findings = examine();
  EXPECT_EQ(worst(findings), Health::ok);
  EXPECT_EQ(network.server.dials, 3U);
  EXPECT_EQ(asked, 1);
  EXPECT_TRUE(network.server.taken.empty());
  EXPECT_EQ(network.server.connections, 0U);
  EXPECT_EQ(findings.front().text, "192.0.2.1, 192.0.2.2");
  EXPECT_EQ(findings.back().text, "MAIL is taken");
}

TEST_F(DoctorTest, OfTooManyAddressesSomeAreTried) {
  add("office");
  for (int i = 0; i < 100; ++i) hosts["office.example.net"].push_back("192.0.2." + std::to_string(i));
  examine();
  EXPECT_EQ(network.dialled.size(), Doctor::most_addresses);
}

TEST_F(DoctorTest, WaitsSideBySideAndNoLongerThanItMay) {
  for (int i = 0; i < 20; ++i) {
    const std::string name = "u" + std::to_string(i);
    add(name);
    hosts[name + ".example.net"] = {"192.0.2." + std::to_string(i), "198.51.100." + std::to_string(i)};
    network.swallowed.insert({"192.0.2." + std::to_string(i), "198.51.100." + std::to_string(i)});
  }
  const SteadyTime begun = loop.now();
  const std::vector<Finding> findings = examine({.limit = 10s});
  EXPECT_EQ(loop.now() - begun, 30s);  // eight upstreams at a time
  ASSERT_EQ(findings.size(), 60U);
  EXPECT_EQ(findings[1].upstream, "u0");
  EXPECT_EQ(findings[1].text, "no answer within 10 s: the port looks blocked");
  EXPECT_EQ(findings[59].upstream, "u19");
}

TEST_F(DoctorTest, ANameThatDoesNotResolveIsToldOnce) {
  add("office");
  add("other");
  hosts["other.example.net"] = {"192.0.2.1"};
  const std::vector<Finding> findings = examine();
  const std::vector<Finding> failed = only(findings, Health::failed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].step, Step::resolve);
  EXPECT_EQ(failed[0].text, "office.example.net does not resolve");
  EXPECT_EQ(findings.back().upstream, "other");
}

TEST_F(DoctorTest, AServerThatClosesAtMailIsAskedNoMore) {
  add("office");
  config::SenderRule& rule = config->senders.emplace_back();
  rule.match = "b@office.example";
  rule.upstreams.push_back({.name = "office"});
  hosts["office.example.net"] = {"192.0.2.1"};
  network.server.answer = [](std::string_view command, const std::string&) {
    return std::string(command.starts_with("MAIL") ? "421 4.7.0 Go away" : "");
  };
  const std::vector<Finding> failed = only(examine(), Health::failed);
  ASSERT_EQ(failed.size(), 1U);
  EXPECT_EQ(failed[0].at, "a@office.example");
  EXPECT_EQ(failed[0].text, "421 4.7.0 Go away");
}

TEST(DoctorTextTest, SaysHowLongSomethingLasts) {
  const WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};
  EXPECT_EQ(lasts(now + std::chrono::days(41) + 1h, now), "ends on 2027-01-03, in 41 days");
  EXPECT_EQ(lasts(now + 25h, now), "ends on 2026-11-24, in 1 day");
  EXPECT_EQ(lasts(now + 1h, now), "ends on 2026-11-23, in 0 days");
  EXPECT_EQ(lasts(now - 1h, now), "ended on 2026-11-22");
}

}  // namespace
}  // namespace relayd
