// DnsClient and ServerFinder against a DNS server on loopback that lies, cuts, and says nothing.
#include "shared/net/dns_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <set>

#include "shared/async/scope.hpp"
#include "shared/async/stream.hpp"
#include "shared/net/dns_server.hpp"
#include "shared/net/server_finder.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::net {
namespace {

using namespace std::chrono_literals;
using namespace test;
using async::IoError;
using async::IoFault;
using async::ServerName;
using async::ServerQuery;
using async::Task;
using dns::RecordType;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class Dns : public testing::Test {
 protected:
  // How a look-up ended.
  template <class T>
  struct End {
    std::optional<T> value;
    IoFault fault{};
    std::string text;
  };

  // Answers with the records of a name and type; without any, that the name is there without such records.
  std::vector<std::string> respond(const std::string& query, bool tcp) {
    const std::lock_guard lock(mutex);
    const DnsQuestion question = question_of(query);
    asked.insert(question.name);
    if (lie) return lie(query, tcp);
    std::vector<std::string> answers;
    for (const std::string& data : records[{question.name, question.type}])
      answers.push_back(record(question.name, question.type, data, ttl));
    std::string answer = answer_to(query, answers, code);
    if (!tcp && answer.size() > 1232) answer = answer_to(query, {}, 0, true);
    return {answer};
  }

  DnsOptions options() { return {.servers = {server.address()}, .timeout = 50ms, .tries = 2}; }
  DnsClient& client() {
    if (!client_) client_ = std::make_unique<DnsClient>(loop, options());
    return *client_;
  }
  ServerFinder& finder() {
    if (!finder_) finder_ = std::make_unique<ServerFinder>(loop, client());
    return *finder_;
  }

  template <class T>
  Task<void> await(Task<T> asking, End<T>& end, bool& done) {
    try {
      end.value = co_await asking;
    } catch (const IoError& error) {
      end.fault = error.fault();
      end.text = error.what();
    }
    done = true;
    loop.stop();
  }
  template <class T>
  End<T> run(Task<T> asking) {
    End<T> end;
    bool done = false;
    scope.spawn(await(std::move(asking), end, done));
    if (!done) loop.run();
    return end;
  }
  End<dns::Told> ask(const std::string& name, RecordType type = RecordType::mx) {
    return run(client().query(name, type, loop.now() + 1min, stopper.get_token()));
  }
  End<std::vector<std::string>> resolve(const std::string& host) {
    return run(client().addresses(host, loop.now() + 1min, stopper.get_token()));
  }
  End<std::vector<ServerName>> find(const ServerQuery& query) {
    return run(finder().find(query, loop.now() + 1min, stopper.get_token()));
  }
  static std::string v4(unsigned last) { return std::string("\xc0\x00\x02", 3) + static_cast<char>(last); }

  std::mutex mutex;
  std::map<std::pair<std::string, unsigned>, std::vector<std::string>> records;
  std::set<std::string> asked;
  unsigned code = 0;
  std::uint32_t ttl = 60;
  DnsServer::Respond lie;
  AsioLoop loop;
  std::stop_source stopper;
  DnsServer server{[this](const std::string& query, bool tcp) { return respond(query, tcp); }};
  std::unique_ptr<DnsClient> client_;
  std::unique_ptr<ServerFinder> finder_;
  async::Scope scope;
};

TEST_F(Dns, AHostHasTheAddressesOfBothFamilies) {
  records[{"mail.example", dns_type::a}] = {v4(1)};
  records[{"mail.example", dns_type::aaaa}] = {std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') +
                                               '\1'};
  const auto end = resolve("mail.example");
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_THAT(*end.value, UnorderedElementsAre("192.0.2.1", "2001:db8::1"));
}

TEST_F(Dns, AnAddressIsItsOwnAndNobodyIsAsked) {
  EXPECT_THAT(*resolve("192.0.2.7").value, ElementsAre("192.0.2.7"));
  EXPECT_THAT(*resolve("2001:db8::7").value, ElementsAre("2001:db8::7"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(Dns, TheHostsFileCountsBeforeDns) {
  const TemporaryDirectory folder;
  const std::string hosts = (folder.path() / "hosts").string();
  std::ofstream(hosts) << "192.0.2.33 mail.example other\n";
  ::setenv("CARES_HOSTS", hosts.c_str(), 1);
  const auto end = resolve("mail.example");
  ::unsetenv("CARES_HOSTS");
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_THAT(*end.value, ElementsAre("192.0.2.33"));
  EXPECT_THAT(asked, IsEmpty());
}

TEST_F(Dns, TheSearchListCountsAndIsReadAgainWhenItChanges) {
  const TemporaryDirectory folder;
  const std::string file = (folder.path() / "resolv.conf").string();
  std::ofstream(file) << "search one.example\n";
  DnsOptions chosen = options();
  chosen.resolv_conf = file;
  client_ = std::make_unique<DnsClient>(loop, chosen);
  records[{"mail.one.example", dns_type::a}] = {v4(1)};
  records[{"mail.two.example", dns_type::a}] = {v4(2)};
  EXPECT_THAT(*resolve("mail").value, ElementsAre("192.0.2.1"));
  std::ofstream(file) << "search two.example # another\n";
  EXPECT_THAT(*resolve("mail").value, ElementsAre("192.0.2.2"));
}

TEST_F(Dns, WhatIsCutIsAskedForOverTcp) {
  for (unsigned i = 0; i < 100; ++i)
    records[{"example.net", dns_type::mx}].push_back(mx_data(i, "mx" + std::to_string(i) + ".example.net"));
  const auto end = ask("example.net");
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_EQ(end.value->records.size(), 100U);
  EXPECT_EQ(server.asked_tcp, 1U);
}

TEST_F(Dns, ServfailAndRefusedAreFailuresForNow) {
  for (const auto& [answer, word] : {std::pair(2U, "SERVFAIL"), std::pair(5U, "REFUSED")}) {
    code = answer;
    const auto end = ask("example.net");
    EXPECT_EQ(end.fault, IoFault::resolve);
    EXPECT_THAT(end.text, HasSubstr(word));
    EXPECT_THAT(resolve("mail.example").text,
                testing::AllOf(HasSubstr("does not resolve"), HasSubstr("mail waits")));
  }
}

TEST_F(Dns, ASilentServerIsAskedAgainAndGivenUp) {
  lie = [](const std::string&, bool) { return std::vector<std::string>(); };
  const auto end = ask("example.net");
  EXPECT_EQ(end.fault, IoFault::resolve);
  EXPECT_THAT(end.text, HasSubstr("no DNS server answers"));
  EXPECT_EQ(server.asked_udp, 2U);
}

TEST_F(Dns, NobodyWaitsLongerThanHeWantsTo) {
  lie = [](const std::string&, bool) { return std::vector<std::string>(); };
  client_ = std::make_unique<DnsClient>(loop, DnsOptions{.servers = {server.address()}, .timeout = 1h});
  const auto end = run(client().addresses("mail.example", loop.now() + 5ms, {}));
  EXPECT_EQ(end.fault, IoFault::resolve);
  EXPECT_THAT(end.text, HasSubstr("DNS gives no answer"));
  loop.post([this] { stopper.request_stop(); });
  EXPECT_EQ(ask("example.net").fault, IoFault::cancelled);
}

TEST_F(Dns, AnAnswerToAnotherQuestionIsNone) {
  lie = [](const std::string& query, bool) {
    const std::string evil = record("example.net", dns_type::mx, mx_data(1, "mx.evil.example"));
    std::string wrong_id = answer_to(query, {evil});
    wrong_id[0] = static_cast<char>(wrong_id[0] ^ 1);
    std::string wrong_question = answer_to(query, {evil});
    wrong_question[13] = 'x';
    return std::vector<std::string>{
        wrong_id, wrong_question,
        answer_to(query, {record("example.net", dns_type::mx, mx_data(1, "mx.example.net"))})};
  };
  const auto end = ask("example.net");
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_EQ(end.value->records.at(0).data, "mx.example.net");
}

TEST_F(Dns, GarbageIsAFailureForNow) {
  lie = [](const std::string& query, bool) {
    return std::vector<std::string>{answer_to(query, {"\x01"}), answer_to(query, {std::string(40, '\xff')})};
  };
  EXPECT_EQ(ask("example.net").fault, IoFault::resolve);
  EXPECT_EQ(resolve("mail.example").fault, IoFault::resolve);
}

TEST_F(Dns, CnamesThatTheServerDoesNotFollowAreFollowed) {
  records[{"end.example", dns_type::mx}] = {mx_data(1, "mx.end.example")};
  lie = [this](const std::string& query, bool) {
    const DnsQuestion question = question_of(query);
    if (question.name == "end.example")
      return std::vector<std::string>{
          answer_to(query, {record("end.example", dns_type::mx, records[{"end.example", dns_type::mx}][0])})};
    return std::vector<std::string>{
        answer_to(query, {record(question.name, dns_type::cname, name_octets("end.example"), 5)})};
  };
  const auto end = ask("example.net");
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_EQ(end.value->name, "end.example");
  EXPECT_EQ(end.value->ttl, 5U);
}

TEST_F(Dns, CnamesWithoutAnEndAreGivenUp) {
  lie = [](const std::string& query, bool) {
    const std::string name = question_of(query).name;
    return std::vector<std::string>{
        answer_to(query, {record(name, dns_type::cname, name_octets("x." + name))})};
  };
  const auto end = ask("example.net");
  EXPECT_THAT(end.text, HasSubstr("from CNAME to CNAME"));
  EXPECT_LT(asked.size(), 20U);
}

TEST_F(Dns, NoSuchNameIsNotTheSameAsNoSuchRecord) {
  const auto empty = ask("example.net");
  ASSERT_TRUE(empty.value);
  EXPECT_TRUE(empty.value->exists);
  EXPECT_THAT(empty.value->records, IsEmpty());
  code = 3;
  EXPECT_FALSE(ask("nowhere.example").value.value().exists);
}

Task<void> count_one(DnsClient& client, AsioLoop& loop, std::string host, unsigned& answered, unsigned all) {
  const auto found = co_await client.addresses(std::move(host), loop.now() + 10min, {});
  answered += found.size() == 1 ? 1 : 0;
  if (answered == all) loop.stop();
}

TEST_F(Dns, ManyLookupsNeverHoldUpTheLoop) {
  constexpr unsigned all = 10'000;
  lie = [](const std::string& query, bool) {
    const DnsQuestion question = question_of(query);
    if (question.type != dns_type::a) return std::vector<std::string>{answer_to(query, {})};
    return std::vector<std::string>{answer_to(query, {record(question.name, dns_type::a, v4(1))})};
  };
  client_ =
      std::make_unique<DnsClient>(loop, DnsOptions{.servers = {server.address()}, .timeout = 2s, .tries = 5});
  unsigned answered = 0;
  unsigned most_in_a_turn = 0;
  unsigned before = 0;
  std::size_t most_at_once = 0;
  std::function<void()> turn = [&] {
    most_in_a_turn = std::max(most_in_a_turn, answered - before);
    most_at_once = std::max(most_at_once, client().under_way());
    before = answered;
    loop.post(turn);
  };
  loop.post(turn);
  for (unsigned i = 0; i < all; ++i)
    scope.spawn(count_one(client(), loop, "host" + std::to_string(i) + ".example", answered, all));
  loop.run();
  EXPECT_EQ(answered, all);
  EXPECT_LE(most_in_a_turn, 2 * DnsClient::most_at_once);
  EXPECT_LE(most_at_once, DnsClient::most_at_once);
}

TEST_F(Dns, WhoAsksForTheSameAtATimeSharesTheAnswer) {
  records[{"mail.example", dns_type::a}] = {v4(1)};
  unsigned answered = 0;
  for (unsigned i = 0; i < 50; ++i) scope.spawn(count_one(client(), loop, "mail.example", answered, 50));
  loop.run();
  EXPECT_EQ(server.asked_udp, 2U);  // A and AAAA
}

// --- the servers of a domain ---

const ServerQuery mx{ServerQuery::Kind::mx, "example.net", "us.example"};

TEST_F(Dns, MxHostsComeInTheirOrderAndAreKeptForTheirTime) {
  records[{"example.net", dns_type::mx}] = {mx_data(20, "b.example.net"), mx_data(10, "a.example.net")};
  const auto end = find(mx);
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_THAT(*end.value, ElementsAre(ServerName{"a.example.net"}, ServerName{"b.example.net"}));
  find(mx);
  EXPECT_EQ(server.asked_udp, 1U);
}

TEST_F(Dns, AnAnswerOfNoTimeIsAskedForEachTimeAndServesWhileDnsIsAway) {
  ttl = 0;
  records[{"example.net", dns_type::mx}] = {mx_data(10, "a.example.net")};
  find(mx);
  find(mx);
  EXPECT_EQ(server.asked_udp, 2U);
  code = 2;
  const auto end = find(mx);
  ASSERT_TRUE(end.value) << end.text;
  EXPECT_THAT(*end.value, ElementsAre(ServerName{"a.example.net"}));
}

TEST_F(Dns, WithoutMxADomainIsItsOwnHost) {
  EXPECT_THAT(*find(mx).value, ElementsAre(ServerName{"example.net"}));
}

TEST_F(Dns, ADomainThatTakesNoMailSaysSo) {
  records[{"example.net", dns_type::mx}] = {mx_data(0, "")};
  const auto end = find(mx);
  EXPECT_EQ(end.fault, IoFault::resolve);
  EXPECT_THAT(end.text, testing::AllOf(HasSubstr("null MX"), HasSubstr("mail waits")));
}

TEST_F(Dns, ADomainThatIsNotThereIsNoHost) {
  code = 3;
  EXPECT_THAT(find(mx).text, HasSubstr("no such domain"));
}

TEST_F(Dns, MailDoesNotComeBackToUs) {
  records[{"example.net", dns_type::mx}] = {mx_data(10, "us.example"), mx_data(20, "b.example.net")};
  EXPECT_THAT(find(mx).text, HasSubstr("has no MX host"));
}

TEST_F(Dns, AServerThatCouldNotBeUsedComesLastForAWhile) {
  records[{"example.net", dns_type::mx}] = {mx_data(20, "b.example.net"), mx_data(10, "a.example.net")};
  find(mx);
  finder().leave(mx, "a.example.net");
  EXPECT_THAT(*find(mx).value, ElementsAre(ServerName{"b.example.net"}, ServerName{"a.example.net"}));
}

TEST_F(Dns, SrvNamesHostsAndPortsOrNone) {
  const ServerQuery srv{ServerQuery::Kind::srv, "_submissions._tcp.example.net"};
  EXPECT_THAT(*find(srv).value, IsEmpty());
  records[{srv.name, dns_type::srv}] = {srv_data(9, 0, 1465, "b.example.net"),
                                        srv_data(0, 0, 465, "a.example.net")};
  EXPECT_THAT(*find(srv).value,
              ElementsAre(ServerName{"a.example.net", 465}, ServerName{"b.example.net", 1465}));
}

}  // namespace
}  // namespace relayd::net
