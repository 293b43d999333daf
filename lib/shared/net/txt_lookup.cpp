#include "shared/net/txt_lookup.hpp"

#include "shared/async/scope.hpp"
#include "shared/async/stream.hpp"
#include "shared/net/dns_client.hpp"

namespace relayd::net {

namespace {

using dns::Answer;

async::Task<void> ask(DnsClient& client, const std::string& name, Deadline deadline, Answer& answer) {
  try {
    dns::Told told = co_await client.query(name, dns::RecordType::txt, deadline, {});
    if (!told.records.empty()) answer.kind = Answer::Kind::texts;
    for (dns::ResourceRecord& record : told.records) answer.texts.push_back(std::move(record.data));
  } catch (const async::IoError& error) {
    answer = {Answer::Kind::failed, {}, error.what()};
  }
}

async::Task<void> ask_all(AsioLoop& loop, DnsClient& client, dns::Answers& answers, Deadline deadline) {
  async::Scope scope;
  for (auto& [name, answer] : answers) scope.spawn(ask(client, name, deadline, answer));
  co_await scope.drained();
  loop.stop();
}

}  // namespace

dns::Answers look_up_texts(std::span<const std::string> names, std::vector<std::string> servers,
                           std::chrono::milliseconds limit) {
  AsioLoop loop;
  DnsClient client(loop,
                   {.servers = std::move(servers), .timeout = std::chrono::milliseconds(1500), .tries = 2});
  dns::Answers answers;
  for (const std::string& name : names) answers[name];
  async::Scope scope;
  loop.post([&] { scope.spawn(ask_all(loop, client, answers, loop.now() + limit)); });
  loop.run();
  return answers;
}

}  // namespace relayd::net
