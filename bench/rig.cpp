#include "rig.hpp"

#include <fmt/format.h>

#include <exception>
#include <utility>

#include "queue/record.hpp"

namespace relayd::bench {
namespace {

queue::Envelope example_envelope() {
  queue::Envelope envelope;
  envelope.sender = envelope.routing_sender = "billing@example.com";
  envelope.recipients.push_back({"somebody@example.org", "", ""});
  envelope.client = "127.0.0.1";
  return envelope;
}

}  // namespace

Rig::Rig(const std::string& directory, Duration sync_delay)
    : disk(sync_delay), scope_([](std::exception_ptr failure) { std::rethrow_exception(failure); }) {
  queue::Options options;
  options.directory = directory;
  queue = std::make_unique<queue::Queue>(loop, workers, disk, options);
  queue->on_trouble([](const std::string& text) { fmt::print(stderr, "{}\n", text); });
  recovery = queue->open();
}

void Rig::run() {
  async::Task<void> end = stop_after_clients();
  end.start();
  loop.run();
}

async::Task<void> Rig::stop_after_clients() {
  co_await scope_.drained();
  loop.stop();
}

async::Task<queue::MessageId> Rig::commit(const std::string& body) {
  constexpr std::size_t read_at_once = 16 << 10;  // from a client's connection
  queue::Draft draft = queue->draft();
  for (std::size_t at = 0; at < body.size(); at += read_at_once)
    draft.append(std::string_view(body).substr(at, read_at_once));
  queue::Envelope envelope = example_envelope();
  const queue::MessageId id = co_await queue->commit(std::move(draft), envelope);
  co_return id;
}

queue::Outcome Rig::outcome(queue::RecipientState state) {
  queue::Outcome outcome;
  outcome.when = loop.wall_now();
  outcome.next_attempt = outcome.when + std::chrono::hours(1);
  outcome.upstream = "mailgun";
  outcome.username = "postmaster@mg.example.com";
  outcome.host = "smtp.mailgun.org:587";
  const bool delivered = state == queue::RecipientState::delivered;
  outcome.recipients.push_back({0, state, static_cast<std::uint16_t>(delivered ? 250 : 451),
                                delivered ? "2.0.0 Great success" : "4.7.1 Try again later, please"});
  return outcome;
}

std::string example_body(std::size_t size) {
  constexpr std::string_view line =
      "The quick brown fox jumps over the lazy dog, and nobody is any the wiser.\r\n";
  std::string body;
  while (body.size() < size) body += line;
  body.resize(size - 2);
  return body + "\r\n";
}

std::size_t record_size(std::size_t body) {
  std::string record = queue::begin_message();
  record += example_body(body);
  queue::MessageFacts facts;
  facts.size = body;
  queue::finish_message(record, {}, facts, example_envelope());
  return record.size();
}

}  // namespace relayd::bench
