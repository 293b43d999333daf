// DispatcherFixture: a dispatcher over a real queue, with upstreams that are scripts, by port.
#pragma once

#include <fmt/format.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "queue/queue_fixture.hpp"
#include "relay/dispatcher.hpp"
#include "support/quiet_log.hpp"
#include "support/scripted_dialer.hpp"

namespace relayd::test {

class DispatcherFixture : public QueueFixture {
 protected:
  void SetUp() override {
    QueueFixture::SetUp();
    config->hostname = "relay.example.com";
    config->queue.retry.jitter = 0;
  }
  void TearDown() override {
    if (dispatcher) {
      dispatcher->shut_down();
      dispatcher->abort();
      run_task(dispatcher->drained(), &loop);
    }
    dispatcher.reset();
    QueueFixture::TearDown();
  }

  // --- set up ---

  // An upstream at a host of its own, in the clear.
  config::Upstream& add_upstream(const std::string& name, std::vector<std::uint16_t> ports) {
    config::Upstream& upstream = config->upstreams.emplace_back();
    upstream.name = name;
    upstream.host = name + ".example.net";
    upstream.ports = std::move(ports);
    upstream.tls = config::TlsMode::none;
    return upstream;
  }
  config::SenderRule& add_rule(const std::string& match, std::vector<std::string> upstreams) {
    config::SenderRule& rule = config->senders.emplace_back();
    rule.match = match;
    for (std::string& name : upstreams) rule.upstreams.push_back({.name = std::move(name)});
    return rule;
  }
  void start() { start(dialer); }
  void start(async::Dialer& with) {
    const relayd::Setup setup = make_setup();
    publisher_ = tell::Publisher(log_);
    dispatcher = std::make_unique<Dispatcher>(loop, workers, *disk, log_, publisher_, with, *queue, setup);
    publisher_.subscribe(
        {.attempted =
             [this](const tell::Outcome& outcome) {
               attempts.push_back(
                   fmt::format("{} {} {}", outcome.upstream, outcome.to, smtp::one_line(outcome.event)));
             },
         .given_up =
             [this](const tell::GivenUp& message) {
               given_up.push_back(fmt::format("{} {} {}", message.id, message.to.size(), message.reason));
             }});
    queue->on_due([this](queue::Shipment& message) { dispatcher->dispatch(message); });
  }

  // Tells the lanes what a test wants them to know.
  template <class Change>
  void change_lanes(Change change) {
    std::as_const(*dispatcher).lanes().for_each([&](const LaneEntry& entry) {
      change(const_cast<LaneEntry&>(entry));
    });
  }

  // The configuration that `config` is now.
  void reload() { dispatcher->use(make_setup()); }
  relayd::Setup make_setup() const {
    const route::Router::Built built = route::Router::build(config);
    for (const config::Diagnostic& error : built.errors) ADD_FAILURE() << error.text;
    relayd::Setup setup;
    setup.config = config;
    setup.router = built.router;
    if (config->staging) setup.staging = std::make_shared<const rewrite::Staging>(*config->staging);
    setup.ways_out = std::make_shared<const WaysOut>(
        setup.router, setup.staging, std::make_shared<const table::Tables>(), rewrite::DkimKeys());
    return setup;
  }

  // The next connection to this port meets this, and QUIT once it is idle; one that nobody expects is
  // refused.
  void expect(std::uint16_t port, const std::string& lines) {
    plans_[port].push_back(make_script(Side::server, lines + "C: QUIT\n S: 221 Bye"));
  }
  static std::string greeting() {
    return "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 PIPELINING\n";
  }
  // One transaction of a@example.org for these, up to the answers to RCPT and DATA, which follow.
  static std::string envelope(const std::vector<std::string>& recipients = {"b@example.org"}) {
    std::string lines = "C: MAIL FROM:<a@example.org>\n";
    for (const std::string& recipient : recipients) lines += "C: RCPT TO:<" + recipient + ">\n";
    return lines + "C: DATA\n S: 250 Ok\n";
  }
  static std::string content(const std::string& answer = "S: 250 Ok") {
    return "S: 354 Go\n C: text\n C: .\n" + answer + "\n";
  }
  static std::string taken() { return envelope() + "S: 250 Ok\n" + content(); }

  // --- let it run ---

  // Until so many attempts (one a recipient) were made and settled, at the present time.
  void run_until_attempts(std::size_t count) {
    loop.run_until([&] { return attempts.size() >= count; });
    settle_down();
  }
  void advance(Duration by) {
    loop.advance(by);
    settle_down();
  }
  // Connections that have something to do.
  std::size_t busy() const {
    std::size_t count = 0;
    dispatcher->lanes().for_each(
        [&count](const LaneEntry& entry) { count += entry.connections() - entry.idle_connections(); });
    return count;
  }
  // The text of what did not fit a script.
  std::string complaints() const {
    std::string all;
    for (const auto& peer : peers) all += peer->complaint();
    return all;
  }
  std::size_t dials() const { return dialer.ports.size(); }

  std::shared_ptr<config::Config> config = std::make_shared<config::Config>();
  std::vector<std::string> attempts;
  std::vector<std::string> given_up;                 // "id recipients reason"
  std::vector<std::unique_ptr<ScriptedPeer>> peers;  // in the order they were dialled
  std::unique_ptr<Dispatcher> dispatcher;
  ScriptedDialer dialer{loop, [this](const std::string&, std::uint16_t port) -> ScriptedPeer& {
                          std::deque<Script>& plan = plans_[port];
                          if (plan.empty())
                            throw async::IoError(async::IoFault::refused, "connection refused");
                          peers.push_back(std::make_unique<ScriptedPeer>(loop, std::move(plan.front())));
                          plan.pop_front();
                          return *peers.back();
                        }};

  QuietLog log_;
  tell::Publisher publisher_{log_};

 private:
  std::map<std::uint16_t, std::deque<Script>> plans_;
};

}  // namespace relayd::test
