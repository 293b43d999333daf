#include "relay/dispatcher.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "relay/queue_delivery.hpp"
#include "send/sandbox.hpp"
#include "send/smtp_transport.hpp"

namespace relayd {

using async::Task;
using queue::Message;
using queue::MessageId;
using queue::RecipientState;
using settle::Action;
using settle::ReplyClass;
using settle::Verdict;

namespace {

bool is_loopback(const std::string& host) {
  unsigned char bytes[16];
  if (inet_pton(AF_INET, host.c_str(), bytes) == 1) return bytes[0] == 127;
  return host == "localhost" || host == "::1";
}

send::Encryption encryption(config::TlsMode mode) {
  switch (mode) {
    case config::TlsMode::none:
      return send::Encryption::none;
    case config::TlsMode::starttls:
      return send::Encryption::starttls;
    case config::TlsMode::implicit:
      return send::Encryption::implicit;
  }
  return send::Encryption::starttls;
}

send::Target make_target(const route::Upstream& upstream, const route::Choice& choice, std::size_t endpoint,
                         const std::string& hostname) {
  const config::TlsOptions& tls = upstream.tls_options;
  send::Target target;
  target.host = upstream.host;
  target.port = upstream.endpoints[endpoint].port;
  target.encryption = encryption(upstream.endpoints[endpoint].tls);
  target.tls = {.name = tls.name.empty() ? upstream.host : tls.name,
                .ca_file = tls.ca_file,
                .verify = tls.verify,
                .tls1_3_only = tls.min_version == config::TlsVersion::tls1_3,
                .pins = tls.pins,
                .client_certificate = tls.client_certificate,
                .client_key = tls.client_key,
                .account = choice.id};
  target.hostname = hostname;
  target.mechanisms = upstream.mechanisms;
  target.clear_password_allowed = is_loopback(upstream.host);
  target.size_limit = upstream.limits.message_size.value_or(Bytes{0}).count;
  target.login = choice.password != nullptr;
  return target;
}

// A lane's trouble in a sense that stops it: nothing of this credential would fare better.
bool stops_lane(const Verdict& verdict) {
  return verdict.scope == settle::Scope::lane || verdict.scope == settle::Scope::upstream;
}

std::string response_text(const send::Event& event) {
  return event.trouble ? smtp::escape(event.text) : smtp::enhanced_text(event.reply);
}

std::string rule_text(const route::Route& route) {
  return route.rule ? route.rule->match : std::string();
}

}  // namespace

// What is known while one report is settled.
struct Dispatcher::Settlement {
  Message& message;
  LaneEntry& entry;
  const send::Delivery& delivery;
  const send::Report& report;
  bool has_next = false;  // the route has another upstream behind this one
  queue::Outcome outcome;
  Verdict worst;  // what decides about the lane and the next attempt: the last that was not plain success
  const send::Event* event = nullptr;  // its event
  bool delivered = false;
  bool moves_on = false;
  bool at_once = false;
};

Dispatcher::Dispatcher(async::Loop& loop, async::Workers& workers, telemetry::Log& log, async::Dialer& dialer,
                       queue::Queue& queue, const Setup& setup)
    : loop_(loop), workers_(workers), log_(log), dialer_(dialer), queue_(queue), setup_(setup) {}

void Dispatcher::use(const Setup& setup) {
  setup_ = setup;
  for (const route::Upstream& upstream : setup_.router->upstreams())
    if (const auto found = budgets_.find(upstream.name); found != budgets_.end())
      found->second->limit = upstream.limits.connections_total;
}

Duration Dispatcher::backoff(std::uint32_t attempts) {
  static std::mt19937_64 generator{std::random_device{}()};
  const config::Retry& retry = setup_.config->queue.retry;
  return queue::retry_delay({retry.first, retry.factor, retry.maximum, retry.jitter}, attempts,
                            std::uniform_real_distribution<double>(0, 1)(generator));
}

// When a message is given up; it must come up then, whatever it waits for.
SteadyTime Dispatcher::end_of_life(const Message& message) const {
  const WallTime end = message.accepted + setup_.config->queue.lifetime;
  return loop_.now() + std::max<Duration>(end - loop_.wall_now(), Duration::zero());
}

// --- from the queue to a lane ---

void Dispatcher::dispatch(Message& message) {
  const config::Queue& settings = setup_.config->queue;
  if (stopping_) return queue_.release(message, loop_.now() + backoff(1));
  if (queue::expired(message.accepted, settings.lifetime, loop_.wall_now()))
    return give_up(message, "expired", fmt::format("not delivered within {} s", settings.lifetime.count()));
  const route::Route route = setup_.router->route(message.routing_sender);
  if (!route.reject.empty()) return give_up(message, "failed", std::string(route.reject));
  if (route.choices.empty()) return defer_unroutable(message);
  std::size_t step = message.route_step < route.choices.size() ? message.route_step : 0;
  std::size_t last = route.choices.size();
  // A message that may already have been taken waits for the one that may have it.
  for (std::size_t i = 0; message.in_doubt && i < route.choices.size(); ++i) {
    if (route.choices[i].upstream->name != message.doubted) continue;
    step = i;
    last = i + 1;
  }
  SteadyTime soonest = SteadyTime::max();
  for (; step < last; ++step) {
    LaneEntry& entry = lane_for(route.choices[step]);
    if (entry.lane->open()) {
      message.route_step = static_cast<std::uint8_t>(step);
      under_way_[message.id.value] = &entry;
      return entry.lane->enqueue(message.id.value);
    }
    soonest = std::min(soonest, entry.lane->paused_until());
  }
  message.route_step = 0;
  queue_.release(message, std::min(soonest, end_of_life(message)));
}

void Dispatcher::clear_way(const Message& message) {
  for (const route::Choice& choice : setup_.router->route(message.routing_sender).choices)
    lane_for(choice).lane->probe();
}

void Dispatcher::defer_unroutable(Message& message) {
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  outcome.next_attempt =
      outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(backoff(message.attempts + 1U));
  log_.warning("deferred", {{"id", queue::to_string(message.id)},
                            {"from", message.routing_sender},
                            {"response", "no sender rule matches: add one to `senders:`"},
                            {"class", "none"}});
  queue_.settle(message, outcome);
}

void Dispatcher::give_up(Message& message, const std::string& event, const std::string& reason) {
  scope_.spawn(fail_all(message.id, event, reason));
}

// Who is still pending is in the message's envelope, on disk.
Task<void> Dispatcher::fail_all(MessageId id, std::string event, std::string reason) {
  Message* message = queue_.find(id);
  queue::Content content;
  try {
    content = co_await queue_.read(*message);
  } catch (const queue::QueueError& error) {
    log_.error("queue_trouble", {{"id", queue::to_string(id)}, {"reason", error.what()}});
    co_return;
  }
  message = queue_.find(id);
  if (!message) co_return;  // deleted meanwhile
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  for (std::uint32_t i = 0; i < content.states.size(); ++i) {
    if (content.states[i] != RecipientState::pending) continue;
    outcome.recipients.push_back({i, RecipientState::failed, 0, reason});
    log_.error(event, {{"id", queue::to_string(id)},
                       {"from", content.envelope.sender},
                       {"to", content.envelope.recipients[i].address},
                       {"response", reason},
                       {"attempts", message->attempts}});
  }
  queue_.settle(*message, outcome);
}

// --- lanes ---

std::shared_ptr<send::Budget> Dispatcher::budget_for(const route::Upstream& upstream) {
  std::shared_ptr<send::Budget>& budget = budgets_[upstream.name];
  if (!budget) budget = std::make_shared<send::Budget>();
  budget->limit = upstream.limits.connections_total;
  return budget;
}

Dispatcher::LaneEntry& Dispatcher::lane_for(const route::Choice& choice) {
  std::unique_ptr<LaneEntry>& entry = lanes_[choice.id];
  if (!entry) entry = std::make_unique<LaneEntry>();
  // A reload makes other choices; the lane's transport maker keeps the old one from being freed meanwhile.
  if (entry->choice == &choice) return *entry;
  const route::Upstream& upstream = *choice.upstream;
  entry->choice = &choice;
  entry->upstream = upstream.name;
  entry->username = choice.username;
  entry->provider = upstream.provider;
  entry->retry_next_on = upstream.retry_next_on;
  entry->ports.clear();
  for (const route::Endpoint& endpoint : upstream.endpoints) entry->ports.push_back(endpoint.port);
  entry->endpoint = 0;
  const send::LaneLimits limits{upstream.limits.connections, upstream.limits.messages_per_connection,
                                upstream.limits.idle};
  if (entry->lane)
    entry->lane->use(limits, transport_maker(choice, *entry));
  else
    entry->lane = std::make_unique<send::Lane>(loop_, *this, limits, budget_for(upstream),
                                               transport_maker(choice, *entry));
  return *entry;
}

send::Lane::MakeTransport Dispatcher::transport_maker(const route::Choice& choice, LaneEntry& entry) {
  // The router keeps alive what the choice points to, also after a reload.
  return [this, router = setup_.router, &choice, &entry]() -> std::unique_ptr<send::Transport> {
    const route::Upstream& upstream = *choice.upstream;
    if (upstream.sandbox_directory)
      return std::make_unique<send::Sandbox>(loop_, workers_, *upstream.sandbox_directory, choice.username);
    auto fetch = [router, &choice]() -> Result<sasl::Credential> {
      Result<Secret> password = choice.password->read();
      if (!password) return Error{password.error()};
      return sasl::Credential{choice.username, std::move(*password)};
    };
    return std::make_unique<send::SmtpTransport>(
        loop_, workers_, dialer_, make_target(upstream, choice, entry.endpoint, router->config().hostname),
        fetch);
  };
}

Task<std::unique_ptr<send::Delivery>> Dispatcher::load(std::uint64_t id) {
  std::unique_ptr<send::Delivery> delivery;
  Message* message = queue_.find({id});
  if (!message || message->state != queue::MessageState::ready) {
    under_way_.erase(id);
    co_return delivery;
  }
  std::size_t limit = 100;
  if (const route::Upstream* upstream = setup_.router->upstream(under_way_.at(id)->upstream))
    limit = upstream->limits.recipients_per_message;
  try {
    queue::Content content = co_await queue_.read(*message);
    delivery = std::make_unique<QueueDelivery>(queue_, workers_, *message, std::move(content),
                                               under_way_.at(id)->upstream, limit);
  } catch (const queue::QueueError& error) {
    log_.error("queue_trouble", {{"id", queue::to_string(MessageId{id})}, {"reason", error.what()}});
    under_way_.erase(id);
  }
  co_return delivery;
}

void Dispatcher::give_back(std::uint64_t id) {
  LaneEntry* entry = under_way_.at(id);
  under_way_.erase(id);
  if (Message* message = queue_.find({id}); message && message->state == queue::MessageState::ready)
    queue_.release(*message, std::max(loop_.now(), entry->lane->paused_until()));
}

// --- settling ---

void Dispatcher::settle(std::uint64_t id, const send::Delivery& delivery, const send::Report& report) {
  Message* message = queue_.find({id});
  LaneEntry& entry = *under_way_.at(id);
  under_way_.erase(id);
  if (!message) return;
  const route::Route route = setup_.router->route(message->routing_sender);
  const bool was_in_doubt =
      static_cast<const QueueDelivery&>(delivery).was_in_doubt();  // load() makes no other
  const bool has_next = message->route_step + 1U < route.choices.size() && !was_in_doubt;
  Settlement settlement{*message, entry, delivery, report, has_next, {}, {}};
  settlement.worst.action = Action::delivered;
  settlement.outcome.when = loop_.wall_now();
  settlement.outcome.upstream = entry.upstream;
  settlement.outcome.username = entry.username;
  settlement.outcome.host = report.host;
  settlement.outcome.in_doubt = was_in_doubt;
  for (const send::RecipientEvent& recipient : report.recipients) judge(settlement, recipient);
  react(settlement);
}

// One recipient: what the event means for it, and whether it decides about the rest.
void Dispatcher::judge(Settlement& settlement, const send::RecipientEvent& entry) {
  const send::Event& event = entry.event;
  const Verdict verdict = event.trouble ? settle::judge(event.stage, *event.trouble)
                                        : settle::judge(event.stage, event.reply, settlement.entry.provider);
  const bool moves_on = settle::moves_on(verdict, settlement.entry.retry_next_on) && settlement.has_next;
  RecipientState state = RecipientState::pending;
  if (verdict.action == Action::delivered)
    state = RecipientState::delivered;
  else if (verdict.action == Action::failed && !moves_on)
    state = RecipientState::failed;
  settlement.outcome.recipients.push_back({entry.recipient, state,
                                           static_cast<std::uint16_t>(event.trouble ? 0 : event.reply.code),
                                           response_text(event)});
  if (state == RecipientState::delivered) settlement.delivered = true;
  settlement.outcome.in_doubt |= verdict.in_doubt;
  settlement.moves_on |= moves_on;
  const bool full =
      !event.trouble && event.stage == smtp::Stage::rcpt && settle::too_many_recipients(event.reply);
  if (full)
    settlement.at_once = true;
  else if (state != RecipientState::delivered &&
           (!settlement.event || stops_lane(verdict) || verdict.in_doubt)) {
    settlement.worst = verdict;
    settlement.event = &event;
  }
  log_recipient(settlement, entry, verdict, state);
}

// The upstream took the message or refused it for its own sake: the lane works again.
bool Dispatcher::shows_health(const Settlement& settlement) {
  const send::Event* event = settlement.event;
  return settlement.delivered || (event && !event->trouble && event->stage >= smtp::Stage::mail &&
                                  event->reply.code != 421 && !stops_lane(settlement.worst));
}

// One step for each port that failed, however many connections failed at it together.
bool Dispatcher::takes_next_port(Settlement& settlement) {
  if (!settlement.event || settlement.event->trouble != smtp::Trouble::unreachable) return false;
  LaneEntry& entry = settlement.entry;
  if (entry.endpoint < entry.ports.size() && entry.ports[entry.endpoint] == settlement.report.port)
    ++entry.endpoint;
  if (entry.endpoint < entry.ports.size()) return true;
  entry.endpoint = 0;
  return false;
}

// The lane, the message, the next attempt.
void Dispatcher::react(Settlement& settlement) {
  Message& message = settlement.message;
  send::Lane& lane = *settlement.entry.lane;
  const bool stopped = settlement.event && stops_lane(settlement.worst);
  const bool next_port = takes_next_port(settlement);
  if (stopped && !next_port) {
    pause(settlement.entry, settlement);
  } else if (lane.troubles() > 0 && shows_health(settlement)) {
    lane.resume();
    log_.info("lane_resumed",
              {{"upstream", settlement.entry.upstream}, {"account", settlement.entry.username}});
  }
  const Duration patience = backoff(message.attempts + 1U);
  SteadyTime next = loop_.now() + patience;
  const bool nobody_waits =
      std::none_of(settlement.outcome.recipients.begin(), settlement.outcome.recipients.end(),
                   [](const auto& entry) { return entry.state == RecipientState::pending; });
  if (settlement.moves_on || next_port || nobody_waits || (settlement.at_once && settlement.delivered))
    next = loop_.now();
  else if (stopped)
    next = lane.paused_until();
  const Duration wait = std::min(next, end_of_life(message)) - loop_.now();
  settlement.outcome.next_attempt =
      settlement.outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  const bool hold =
      settlement.worst.in_doubt && setup_.config->queue.in_doubt == config::Queue::InDoubt::hold;
  const std::uint8_t step = message.route_step;
  const MessageId id = message.id;
  queue_.settle(message, settlement.outcome);
  Message* left = queue_.find(id);
  if (!left || left->pending == 0) return;
  if (settlement.moves_on)
    left->route_step = static_cast<std::uint8_t>(step + 1);
  else if (next_port)
    left->route_step = step;
  if (hold) queue_.hold(*left);
}

void Dispatcher::pause(LaneEntry& entry, const Settlement& settlement) {
  if (!entry.lane->open()) return;  // another connection of this lane has said so already
  const Duration wait = backoff(entry.lane->troubles() + 1);
  entry.lane->pause(loop_.now() + wait);
  log_.warning("lane_paused", {{"upstream", entry.upstream},
                               {"account", entry.username},
                               {"host", settlement.report.host},
                               {"class", settle::to_string(settlement.worst.reply_class)},
                               {"code", settlement.event->trouble ? 0 : settlement.event->reply.code},
                               {"response", response_text(*settlement.event)},
                               {"delay", std::chrono::duration<double>(wait).count()}});
}

void Dispatcher::log_recipient(const Settlement& settlement, const send::RecipientEvent& entry,
                               const Verdict& verdict, RecipientState state) {
  const send::Event& event = entry.event;
  const Message& message = settlement.message;
  const mail::Envelope& envelope = settlement.delivery.envelope();
  const std::string& to = envelope.recipients[entry.recipient].address;
  const auto age = std::chrono::duration<double>(loop_.wall_now() - message.accepted);
  const std::string_view name = state == RecipientState::delivered ? "delivered"
                                : state == RecipientState::failed  ? "failed"
                                : verdict.in_doubt                 ? "in_doubt"
                                                                   : "deferred";
  const telemetry::Level level = state == RecipientState::delivered ? telemetry::Level::info
                                 : state == RecipientState::failed  ? telemetry::Level::error
                                                                    : telemetry::Level::warning;
  log_.write(level, name,
             {{"id", settlement.delivery.id()},
              {"from", envelope.sender.empty() ? "<>" : std::string_view(envelope.sender)},
              {"to", to},
              {"upstream", settlement.entry.upstream},
              {"host", settlement.report.host},
              {"account", settlement.entry.username},
              {"tls", settlement.report.tls},
              {"stage", smtp::to_string(event.stage)},
              {"code", event.trouble ? 0 : event.reply.code},
              {"enhanced",
               event.trouble || !event.reply.enhanced.given() ? "" : smtp::to_string(event.reply.enhanced)},
              {"response", response_text(event)},
              {"delay", age.count()},
              {"attempts", message.attempts + 1},
              {"class", settle::to_string(verdict.reply_class)}});
  if (!observer_) return;
  observer_({std::string(settlement.delivery.id()), envelope.sender, to,
             rule_text(setup_.router->route(message.routing_sender)), settlement.entry.upstream,
             settlement.entry.username, settlement.report.tls,
             event.trouble ? event.text : smtp::one_line(event.reply), state == RecipientState::delivered,
             std::chrono::duration_cast<Duration>(age)});
}

// --- the end ---

void Dispatcher::shut_down() {
  stopping_ = true;
  for (auto& [id, entry] : lanes_) entry->lane->shut_down();
}

void Dispatcher::abort() {
  for (auto& [id, entry] : lanes_) entry->lane->abort();
}

Task<void> Dispatcher::drained() {
  for (auto& [id, entry] : lanes_) co_await entry->lane->drained();
  co_await scope_.drained();
}

}  // namespace relayd
