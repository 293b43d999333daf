#include "relay/relay.hpp"

#include <fmt/format.h>

#include "accept/rules.hpp"
#include "relay/incoming.hpp"

namespace relayd {

using async::Task;

namespace {

constexpr unsigned helper_threads = 4;

queue::Options queue_options(const config::Config& config) {
  queue::Options options;
  options.directory = config.queue.directory;
  options.reserve = config.queue.reserve;
  options.keep_failed = config.queue.keep_failed;
  return options;
}

}  // namespace

Relay::Relay(net::AsioLoop& loop, telemetry::Log& log, Setup setup)
    : loop_(loop),
      log_(log),
      setup_(std::move(setup)),
      workers_(loop, helper_threads),
      queue_(loop, workers_, disk_, queue_options(*setup_.config)),
      dialer_(loop, workers_),
      dispatcher_(loop, workers_, log, dialer_, queue_, setup_) {}

Relay::~Relay() = default;

void Relay::start() {
  queue_.on_trouble([this](const std::string& line) { log_.error("queue_trouble", {{"reason", line}}); });
  queue_.on_due([this](queue::Message& message) { dispatcher_.dispatch(message); });
  report(queue_.open());
  hold_doubtful();
  const accept::Surroundings around{loop_, workers_, log_, *this};
  for (const config::Listener& listener : setup_.config->listeners) {
    listeners_.push_back(
        std::make_unique<accept::Listener>(loop_, around, setup_.config, listener, setup_.tls, counts_));
    log_.info("listening",
              {{"address", listeners_.back()->address()}, {"tls", config::to_string(listener.tls)}});
  }
}

void Relay::report(const queue::Recovery& recovery) {
  for (const std::string& line : recovery.set_aside) log_.error("queue_damaged", {{"reason", line}});
  log_.info("queue_opened", {{"directory", setup_.config->queue.directory},
                             {"messages", recovery.messages},
                             {"in_doubt", recovery.in_doubt},
                             {"segments", recovery.segments},
                             {"octets", recovery.read.count},
                             {"seconds", std::chrono::duration<double>(recovery.took).count()}});
  if (recovery.persistent) return;
  const std::string text = fmt::format(
      "{} is on tmpfs or in a container's layer: what waits there is lost with it. Mount a volume on it, or "
      "set "
      "queue.require_persistent to refuse such a start",
      setup_.config->queue.directory);
  if (setup_.config->queue.require_persistent) throw queue::QueueError(queue::QueueError::Kind::broken, text);
  log_.warning("queue_not_persistent", {{"reason", text}});
}

// What an upstream may have taken before a crash, where the operator wants to look first.
void Relay::hold_doubtful() {
  if (setup_.config->queue.in_doubt != config::Queue::InDoubt::hold) return;
  queue_.for_each([this](queue::Message& message) {
    if (message.in_doubt && message.state == queue::MessageState::waiting) queue_.hold(message);
  });
}

std::vector<std::string> Relay::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& listener : listeners_) addresses.push_back(listener->address());
  return addresses;
}

std::string Relay::use(Setup setup) {
  const std::vector<config::Listener>& before = setup_.config->listeners;
  const std::vector<config::Listener>& after = setup.config->listeners;
  bool same_listeners = before.size() == after.size();
  for (std::size_t i = 0; same_listeners && i < after.size(); ++i)
    same_listeners = before[i].address == after[i].address && before[i].tls == after[i].tls;
  const bool same_queue = setup_.config->queue.directory == setup.config->queue.directory;
  setup_ = std::move(setup);
  dialer_.reload();
  dispatcher_.use(setup_);
  if (same_listeners)
    for (std::size_t i = 0; i < listeners_.size(); ++i)
      listeners_[i]->use(setup_.config, setup_.config->listeners[i]);
  if (!same_listeners) return "`listen` changed: it takes effect with the next start";
  return same_queue ? "" : "`queue.directory` changed: it takes effect with the next start";
}

Task<void> Relay::shut_down(Deadline deadline) {
  for (const auto& listener : listeners_) listener->shut_down();
  dispatcher_.shut_down();
  async::Timer grace(loop_);
  grace.at(deadline, [this] {
    for (const auto& listener : listeners_) listener->abort();
    dispatcher_.abort();
  });
  for (const auto& listener : listeners_) co_await listener->drained();
  co_await dispatcher_.drained();
  co_await queue_.flush();
}

std::optional<smtp::Reply> Relay::check_sender(const accept::ClientFacts& facts, const std::string& sender) {
  for (const config::Account& account : setup_.config->accounts)
    if (account.name == facts.account && !accept::may_send_as(account.may_send_as, sender))
      return smtp::Reply{553, {5, 7, 1}, fmt::format("{} may not send as {}", account.name, sender)};
  if (sender.empty()) return std::nullopt;  // routed by its header
  const route::Route route = setup_.router->route(sender);
  if (!route.reject.empty()) {
    smtp::ReplyParser parser;
    parser.feed(fmt::format("{}\r\n", route.reject));
    if (parser.state() == smtp::ReplyParser::State::complete) return parser.take();
  }
  if (route.choices.empty())
    return smtp::Reply{550, {5, 7, 1}, fmt::format("No rule says where mail from {} goes", sender)};
  return std::nullopt;
}

std::unique_ptr<accept::Incoming> Relay::begin(const accept::ClientFacts& facts,
                                               const mail::Envelope& envelope) {
  return std::make_unique<DraftIncoming>(loop_, log_, queue_, facts, envelope, setup_.config->hostname);
}

}  // namespace relayd
