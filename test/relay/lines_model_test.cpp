// A random model: a dispatcher over upstreams that fail as they please, an operator, reloads and clocks. Once
// all is well, everything is delivered, once. RELAYD_MODEL_SEED is the first seed, RELAYD_MODEL_SEEDS their
// number; RELAYD_MODEL_TRACE prints what happens.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <set>

#include "relay/dispatcher_fixture.hpp"
#include "relay/lines_world.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;

using test::FakeDialer;
using test::Mode;
using test::Site;
using test::World;

class LinesModelTest : public test::DispatcherFixture {
 protected:
  World world{loop};
  FakeDialer fake{world};
  std::map<std::uint64_t, std::string> bodies;  // of messages that are to arrive
  std::map<std::uint64_t, std::vector<std::string>> to;
  std::set<std::uint64_t> deleted;
  int count = 0;
  bool quotas = false;
  bool reloads = true;
  int accounts = 0;  // at each upstream, beside those who need none
  bool trace = std::getenv("RELAYD_MODEL_TRACE") != nullptr;

  void note(const std::string& what) {
    if (trace)
      fmt::print("{:10.3f} {}\n", std::chrono::duration<double>(loop.now().time_since_epoch()).count() - 3600,
                 what);
  }

  void configure() {
    config = std::make_shared<config::Config>();
    config->hostname = "relay.example.com";
    config->queue.retry.jitter = 0;
    config->queue.retry.maximum = 600s;
    config->queue.lifetime = 3000 * 24h;
    const auto shape = [&](config::Upstream& upstream) {
      upstream.limits.connections = 1 + world.pick(4);
      upstream.limits.connections_total = 1 + world.pick(5);
      upstream.limits.messages_per_connection = 1 + world.pick(10);
      upstream.limits.recipients_per_message = 1 + world.pick(3);
      upstream.limits.idle = std::chrono::seconds(1 + world.pick(60));
      if (world.pick(3) == 0)
        upstream.limits.rate = std::vector<config::Rate>{{static_cast<std::uint32_t>(1 + world.pick(5)), 1s}};
      if (quotas && world.pick(2) == 0)
        upstream.limits.quota = std::vector<config::Quota>{
            {static_cast<std::uint64_t>(5 + world.pick(20)), config::Quota::Period::day}};
      const config::Pipelining pipelining[] = {config::Pipelining::ahead, config::Pipelining::transaction,
                                               config::Pipelining::off};
      upstream.pipelining = pipelining[world.pick(3)];
    };
    shape(add_upstream("office",
                       world.pick(2) ? std::vector<std::uint16_t>{1} : std::vector<std::uint16_t>{1, 3}));
    shape(add_upstream("backup", {2}));
    if (accounts > 0)
      for (config::Upstream& upstream : config->upstreams) upstream.host = "127.0.0.1";
    for (int i = 0; i < accounts; ++i) {
      add_account_rule("a", i, {"office", "backup"});
      add_account_rule("b", i, {"backup", "office"});
      add_account_rule("c", i, {"office"});
      add_account_rule("d", i, {"backup"});
    }
    add_rule("a@example.org", {"office", "backup"});
    add_rule("b@example.org", {"backup", "office"});
    add_rule("c@example.org", {"office"});
    add_rule("*", {"backup"});
  }

  // "a0", "a1", ...: the senders of a rule, each with an account of its own at each upstream.
  void add_account_rule(const std::string& rule, int number, std::vector<std::string> upstreams) {
    config::SenderRule& added = add_rule(fmt::format("{}{}@example.org", rule, number), {});
    for (std::string& name : upstreams) {
      config::RuleUpstream& step = added.upstreams.emplace_back();
      step.name = std::move(name);
      step.username = fmt::format("u{}", number);
      step.password.kind = config::SecretSource::Kind::literal;
      step.password.literal = Secret("secret");
    }
  }
  std::string any_sender() {
    const char* senders[] = {"a", "b", "c", "d"};
    const std::string sender = senders[world.pick(4)];
    const int number = accounts > 0 ? world.pick(accounts + 1) : 0;
    return number < accounts ? fmt::format("{}{}", sender, number) : sender;
  }

  MessageId put(const std::string& sender, int recipients) {
    queue::Envelope envelope;
    envelope.sender = envelope.routing_sender = sender + "@example.org";
    const std::string body = fmt::format("m{}", ++count);
    std::vector<std::string> all;
    for (int i = 0; i < recipients; ++i) {
      all.push_back(fmt::format("r{}@example.org", i));
      envelope.recipients.push_back({all.back(), "", ""});
    }
    const MessageId id = test::run_task(commit_task(body + "\r\n", std::move(envelope)), &loop);
    bodies[id.value] = body;
    to[id.value] = all;
    note(fmt::format("commit {} of {} for {}", body, sender, recipients));
    return id;
  }

  // From timer to timer. Stops where the world is asked too often.
  void pass(Duration by) {
    const SteadyTime target = loop.now() + by;
    settle();
    unsigned rounds = 0;
    SteadyTime since = loop.now();
    while (loop.has_timers() && loop.next_timer() <= target) {
      if (trace && rounds > 19'990)
        note(fmt::format("step {} ns, wall {} us", (loop.next_timer() - loop.now()).count(),
                         loop.wall_now().time_since_epoch().count()));
      loop.advance(std::max<Duration>(loop.next_timer() - loop.now(), Duration::zero()));
      settle();
      if (loop.now() > since + 1s) rounds = 0, since = loop.now();
      if (++rounds > 20'000)
        throw std::runtime_error(fmt::format("the loop is busy for ever, ready {}, dials {} {} {}\n",
                                             queue->totals().ready, world.sites[1].dials,
                                             world.sites[2].dials, world.sites[3].dials) +
                                 left());
    }
    if (target > loop.now()) loop.advance(target - loop.now());
    settle();
  }
  void settle() {
    loop.run();
    if (busy() > 0 || queue->totals().ready > 0) settle_down();
    check();
  }
  void check() {
    for (const auto& [port, site] : world.sites) ASSERT_LT(site.dials, 100000U);
    dispatcher->lanes().for_each([](const LaneEntry& lane) {
      ASSERT_LT(lane.connections(), 1000U);
      ASSERT_LE(lane.idle_connections(), lane.connections());
    });
  }

  void act() {
    const std::uint16_t ports[] = {1, 2, 3};
    const char* names[] = {"office", "backup"};
    const std::vector<MessageId> ids = queue->ids();
    const auto any = [&]() -> queue::Message* {
      return ids.empty()
                 ? nullptr
                 : queue->find(ids[static_cast<std::size_t>(world.pick(static_cast<int>(ids.size())))]);
    };
    switch (world.pick(16)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const int many = 1 + world.pick(4);
        for (int i = 0; i < many; ++i) put(any_sender(), 1 + world.pick(4));
        break;
      }
      case 4:
      case 5:
      case 6: {
        const std::uint16_t port = ports[world.pick(3)];
        world.sites[port].mode =
            world.pick(3) == 0 ? Mode::ok : static_cast<Mode>(world.pick(static_cast<int>(Mode::modes)));
        note(fmt::format("port {} is {}", port, static_cast<int>(world.sites[port].mode)));
        break;
      }
      case 7:
        if (queue::Message* m = any()) note(fmt::format("hold {}", bodies[m->id().value])), queue->hold(*m);
        break;
      case 8:
        if (queue::Message* m = any(); m && m->state == MessageState::held)
          note(fmt::format("release {}", bodies[m->id().value])), queue->retry(*m);
        break;
      case 9:
        if (queue::Message* m = any(); m && world.pick(3) == 0) {
          note(fmt::format("delete {}", bodies[m->id().value]));
          deleted.insert(m->id().value);
          queue->remove(*m);
        }
        break;
      case 10:
        if (queue::Message* m = any(); m && m->state == MessageState::waiting) {
          note(fmt::format("retry {}", bodies[m->id().value]));
          queue->retry(*m);
          dispatcher->clear_way(*m);
        }
        break;
      case 11:
        if (reloads && world.pick(2) == 0) {
          note("reload");
          configure();
          reload();
        }
        break;
      case 12: {
        const std::string name = names[world.pick(2)];
        const bool stops = world.pick(2) == 0;
        if (accounts > 0 && world.pick(3) == 0 && !world.accounts.empty()) {
          const std::string line =
              *std::next(world.accounts.begin(), world.pick(static_cast<int>(world.accounts.size())));
          if (!world.locked.erase(line)) world.locked.insert(line);
          note(fmt::format("lock or unlock {}", line));
          break;
        }
        const std::string account =
            accounts > 0 && world.pick(2) ? fmt::format("u{}", world.pick(accounts)) : "";
        note(fmt::format("{} {} {}", stops ? "stop" : "go on", name, account));
        dispatcher->steer(name, account, stops);
        break;
      }
      case 13:
        if (world.pick(4) == 0) {
          const auto by = std::chrono::minutes(world.pick(600) - 300);
          note(fmt::format("clock {} min", by.count()));
          loop.set_wall(loop.wall_now() + by);
        }
        break;
      default: {
        const Duration by = world.pick(2) ? Duration(std::chrono::milliseconds(world.pick(3000)))
                                          : Duration(std::chrono::seconds(world.pick(120)));
        pass(by);
      }
    }
    settle();
  }

  std::string left() {
    std::string all;
    queue->for_each([&](queue::Message& m) {
      m.for_each_shipment([&](queue::Shipment& s) {
        all += fmt::format(
            "  {} {} of {} state {} line {} step {} unsent {} in doubt {} at {} attempts {} due in {} s\n",
            bodies[m.id().value], s.id.number(), m.routing_sender, static_cast<int>(s.state), s.line,
            s.route_step, s.unsent, s.in_doubt(), s.doubted, s.attempts,
            std::chrono::duration<double>(s.due - loop.now()).count());
      });
    });
    dispatcher->lanes().for_each([&](const LaneEntry& lane) {
      all += fmt::format(
          "  lane {} open {} probing {} troubles {} connections {} idle {} lines {} paused for {} quota "
          "left {} stopped {} waiting {}\n",
          lane.id, lane.open(), lane.probing(), lane.breaker().troubles(), lane.connections(),
          lane.idle_connections(), lane.lines.size(),
          std::chrono::duration<double>(lane.paused_until() - loop.now()).count(),
          lane.quota().left(loop.wall_now()), lane.stopped(), dispatcher->lines().waiting(lane));
    });
    return all;
  }

  // Everything that may be is made well.
  void mend(bool one_only, const std::string& well) {
    for (auto& [port, site] : world.sites) site.mode = Mode::ok;
    if (one_only)
      world.sites[well == "office" ? 2 : 1].mode = Mode::refuse,
                                         world.sites[3].mode = well == "office" ? Mode::ok : Mode::refuse;
    world.locked.clear();
    note(fmt::format("mended {}", one_only ? well : "all"));
    dispatcher->steer("office", "", false);
    dispatcher->steer("backup", "", false);
  }

  void release_all() {
    queue->for_each([&](queue::Message& m) {
      bool held = m.state == MessageState::failed;
      m.for_each_shipment([&held](queue::Shipment& s) { held |= s.state == MessageState::held; });
      if (m.in_doubt()) queue->not_taken(m);
      if (held) queue->retry(m);
    });
  }

  void live(unsigned seed, bool one_only) {
    world.random.seed(seed);
    world.sites = {{1, {}}, {2, {}}, {3, {}}};
    configure();
    start(fake);
    const int steps = 40 + world.pick(150);
    for (int i = 0; i < steps; ++i) {
      act();
      if (HasFatalFailure()) return;
    }
    release_all();
    const std::string well = world.pick(2) ? "office" : "backup";
    mend(one_only, well);
    // Held ones are let go as they come; nobody touches anything else.
    const int hours = quotas ? 24 * 4 : 3;
    std::size_t before = world.takings.size();
    for (int i = 0; i < hours; ++i) {
      pass(1h);
      if (world.takings.size() > before) before = world.takings.size(), i = 0;
      if (queue->totals().held > 0) release_all();
      bool waits = false;
      queue->for_each([&](queue::Message& m) { waits |= expected(m, one_only, well); });
      if (!waits) break;
    }
    bool waits = false;
    queue->for_each([&](queue::Message& m) { waits |= expected(m, one_only, well); });
    EXPECT_FALSE(waits) << "seed " << seed << ": left\n" << left();
    for (const auto& [id, body] : bodies) {
      if (deleted.contains(id) || queue->find(queue::MessageId{id})) continue;
      for (const std::string& recipient : to[id])
        EXPECT_EQ(world.taken[body + " " + recipient], 1)
            << "seed " << seed << ": " << body << " " << recipient;
    }
    for (const auto& [what, times] : world.taken) EXPECT_LE(times, 1) << "seed " << seed << ": " << what;
  }
  bool expected(const queue::Message& m, bool one_only, const std::string& well) {
    if (deleted.contains(m.id().value)) return false;
    if (!one_only) return true;
    bool doubted_elsewhere = false;
    m.for_each_shipment(
        [&](const queue::Shipment& s) { doubted_elsewhere |= s.in_doubt() && s.doubted != well; });
    if (doubted_elsewhere) return false;
    const char s = m.routing_sender[0];
    return s == 'a' || s == 'b' || (s == 'c' && well == "office") || (s == 'd' && well == "backup");
  }
};

struct Plan {
  bool quotas;
  bool one_only;
};

class LinesModel : public LinesModelTest, public testing::WithParamInterface<unsigned> {};

unsigned first_seed() {
  return std::getenv("RELAYD_MODEL_SEED") ? static_cast<unsigned>(std::atoi(std::getenv("RELAYD_MODEL_SEED")))
                                          : 1;
}
unsigned seeds() {
  return std::getenv("RELAYD_MODEL_SEEDS")
             ? static_cast<unsigned>(std::atoi(std::getenv("RELAYD_MODEL_SEEDS")))
             : 12;
}

TEST_P(LinesModel, AllIsDeliveredOnceAllIsWell) {
  live(GetParam(), false);
}
TEST_P(LinesModel, AllIsDeliveredWithQuotas) {
  quotas = true;
  live(GetParam(), false);
}
TEST_P(LinesModel, WithoutReloadsAllIsDelivered) {
  reloads = false;
  live(GetParam(), false);
}
TEST_P(LinesModel, AllThatOneUpstreamMayTakeIsDelivered) {
  live(GetParam(), true);
}

TEST_P(LinesModel, AllIsDeliveredByAccountsOfOneSite) {
  accounts = 3 + static_cast<int>(GetParam() % 3);
  live(GetParam(), false);
}
TEST_P(LinesModel, AllIsDeliveredByAccountsWithQuotas) {
  accounts = 2;
  quotas = true;
  live(GetParam(), false);
}
TEST_P(LinesModel, AccountsOfTheUpstreamThatIsWellDeliverAll) {
  accounts = 4;
  live(GetParam(), true);
}

INSTANTIATE_TEST_SUITE_P(Seeds, LinesModel, testing::Range(first_seed(), first_seed() + seeds()));

}  // namespace
}  // namespace relayd
