// SendingFixture: a dispatcher and an upstream that takes many messages, as the test wants it to.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "relay/dispatcher_fixture.hpp"
#include "support/fake_upstream.hpp"

namespace relayd::test {

class SendingFixture : public DispatcherFixture {
 protected:
  void TearDown() override {
    server.answer = {};  // it stands on the test's own variables
    DispatcherFixture::TearDown();
  }
  void give_account(auto& section, const std::string& username) {
    section.username = username;
    section.password.kind = config::SecretSource::Kind::literal;
    section.password.literal = Secret("secret");
  }
  // Accounts "s0", "s1", … at office, each for the sender of its name.
  void add_accounts(int count, const std::vector<std::string>& upstreams = {"office"}) {
    for (int i = 0; i < count; ++i) {
      config::SenderRule& rule = add_rule(fmt::format("s{}@example.org", i), {});
      for (const std::string& name : upstreams) {
        config::RuleUpstream& step = rule.upstreams.emplace_back();
        step.name = name;
        if (name == "office") give_account(step, fmt::format("s{}", i));
      }
    }
  }
  config::Upstream& add_office() {
    config::Upstream& upstream = add_upstream("office", {1});
    upstream.host = "127.0.0.1";  // so that a password may be sent in the clear
    return upstream;
  }
  void start_office() {
    add_rule("*", {"office"});
    start(server);
  }
  void hand_in(const std::string& sender, int count);
  std::map<std::string, int> taken_by_account() const {
    std::map<std::string, int> counts;
    for (const FakeUpstream::Taken& message : server.taken) ++counts[message.account];
    return counts;
  }
  // Until no connection has anything to do at the present time.
  void run_until_quiet() {
    do {
      loop.run_until([this] {
        loop.run();
        return busy() == 0;
      });
      flush();
    } while (loop.run() || busy() > 0);
  }
  // Lets time pass from timer to timer, with all that happens at each.
  void pass(Duration time) {
    const SteadyTime end = loop.now() + time;
    run_until_quiet();
    while (loop.has_timers() && loop.next_timer() <= end) {
      loop.advance(std::max<Duration>(loop.next_timer() - loop.now(), Duration::zero()));
      run_until_quiet();
    }
    loop.advance(end - loop.now());
    run_until_quiet();
  }
  std::size_t left() const {
    const queue::Totals totals = queue->totals();
    return totals.waiting + totals.ready + totals.held + totals.failed;
  }

  FakeUpstream server{loop};

 private:
  async::Task<void> hand_in_one(std::string sender, std::string body);

  int handed_in_ = 0;
};

}  // namespace relayd::test
