// What is late: which mail a Reporter warns of, and when it looks for that.
#include <algorithm>
#include <functional>
#include <utility>

#include "relay/lifetime.hpp"
#include "relay/reporter.hpp"

namespace relayd {

using async::Task;
using queue::MessageId;
using queue::QueueError;
using tell::Reported;

namespace {

constexpr auto look_for_late_every = std::chrono::minutes(1);
constexpr std::size_t late_at_once = 1000;

}  // namespace

void Reporter::look_again() {
  if (stopping_) return;
  late_.at(loop_.now() + look_for_late_every, [this] {
    const config::Bounce& bounce = setup_.config->bounce;
    if (bounce.from.empty() || bounce.delay_warning.empty()) return look_again();
    scope_.spawn(look_for_late());
  });
}

Task<void> Reporter::look_for_late() {
  const bool open = way_is_open();
  const std::function<bool(const queue::Message&)> is_late = [this](const queue::Message& message) {
    return age_to_warn_of(message).count() > 0;
  };
  std::vector<MessageId> late;
  if (open) late = co_await queue_.find_all(is_late, late_at_once);
  for (const MessageId id : late) {
    if (stopping_) co_return;
    std::string waits_for;
    bool full = false;
    try {
      waits_for = co_await warn(id);
    } catch (const QueueError& error) {
      waits_for = error.what();
      full = error.kind() == QueueError::Kind::full;
    }
    if (!waits_for.empty())
      log_.warning("report_waits", {{"id", queue::to_string(id)}, {"reason", waits_for}});
    if (full) break;
  }
  look_again();
}

// The oldest of the configured ages that it has reached and was not warned of; 0: none. Held mail is not late
// by itself.
std::chrono::seconds Reporter::age_to_warn_of(const queue::Message& message) const {
  if (message.state != queue::MessageState::waiting && message.state != queue::MessageState::ready) return {};
  if (clock_was_wrong(message.lives_from, loop_.wall_now())) return {};
  const WallTime::duration age = loop_.wall_now() - message.lives_from;
  std::chrono::seconds reached{0}, warned{message.warned};
  if (warned > age) warned = {};  // by a clock that was ahead
  for (const std::chrono::seconds each : setup_.config->bounce.delay_warning)
    if (each <= age && each > warned) reached = std::max(reached, each);
  return reached;
}

// A warning that would wait where the mail waits says nothing that its reader could not see by then.
bool Reporter::way_is_open() const {
  const route::Route route = setup_.router->route(setup_.config->bounce.from);
  if (route.open) return true;  // it is its reader's
  return std::ranges::any_of(route.choices, [this](const route::Choice& choice) {
    bool open = true;  // one that was never used may be
    lanes_.for_each([&](const LaneEntry& lane) {
      const bool is_its = lane.username == route::user_of(choice, setup_.config->bounce.from);
      if (lane.id == choice.id && is_its) open = lane.open() && !lane.probing();
    });
    return open;
  });
}

Task<std::string> Reporter::warn(MessageId id) {
  ReportedMessage message;
  const bool there = co_await read_message(queue_, workers_, id, message);
  const queue::Message* const known = there ? queue_.find(id) : nullptr;
  if (!known) co_return "";
  const std::chrono::seconds age = age_to_warn_of(*known);
  if (age.count() == 0) co_return "";
  std::vector<std::uint32_t> late;
  for (std::uint32_t i = 0; i < message.states.size(); ++i)
    if (queue::is_unsent(message.states[i]) &&
        tell::is_owed(Reported::Kind::delayed, message.envelope.recipients[i]))
      late.push_back(i);
  Order order{Reported::Kind::delayed, message.reported(late), age};
  known->for_each_shipment([&](const queue::Shipment& shipment) {
    const bool has_time = shipment.state == queue::MessageState::waiting && shipment.line == 0;
    const auto wait = std::chrono::duration_cast<WallTime::duration>(shipment.due - loop_.now());
    if (!has_time) return;
    const WallTime next = loop_.wall_now() + wait;
    order.next_attempt = order.next_attempt ? std::min(*order.next_attempt, next) : next;
  });
  order.retry_until = known->lives_from + setup_.config->queue.lifetime;
  std::string waits_for = co_await write(message, std::move(order));
  co_return waits_for;
}

}  // namespace relayd
