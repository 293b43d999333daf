#include "relay/routing.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <unordered_map>

#include "relay/reported_message.hpp"
#include "rewrite/outgoing.hpp"
#include "route/explain.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::Shipment;
using queue::ShipmentId;

namespace {

constexpr std::size_t at_once = 32;
// About what one takes. Those that come too early all the same wait once more, behind the others.
constexpr auto spacing = std::chrono::microseconds(100);
constexpr auto try_again = std::chrono::minutes(1);  // what the disk did not give

}  // namespace

bool leads_to(const route::Route& route, std::string_view choice) {
  return std::ranges::any_of(route.choices, [choice](const route::Choice& one) { return one.id == choice; });
}

Routed::Routed(const mail::Envelope& envelope, std::uint64_t number, const route::HeaderValues* header)
    : client_{envelope.account, envelope.client, envelope.listener} {
  mail_.number = number;
  mail_.sender = envelope.routing_sender;
  mail_.client = &client_;
  mail_.header = header;
}

route::Mail Routed::to(std::string_view recipient) const {
  route::Mail mail = mail_;
  mail.recipient = recipient;
  return mail;
}

void Routing::renew() {
  before_ += static_cast<std::uint32_t>(by_way_.size());
  by_way_.assign(setup_.router->ways(), {});
}

std::optional<route::Route> Routing::known(const Shipment& shipment) const {
  const route::Route route = setup_.router->route(
      {.number = shipment.id.message().value, .sender = shipment.message->routing_sender});
  if (!route.open) return route;
  if (shipment.route <= before_) return std::nullopt;
  return by_way_[shipment.route - before_ - 1];
}

void Routing::find_out(Shipment& shipment) {
  if (scope_.count() < at_once) return scope_.spawn(read(shipment.id));
  last_turn_ = std::max(last_turn_, loop_.now()) + spacing;
  queue_.release(shipment, last_turn_);
}

// Of a large message the header at most.
Task<void> Routing::read(ShipmentId id) {
  co_await async::sleep_until(loop_, loop_.now());  // a turn of the loop for each: many come in one
  Shipment* shipment = queue_.find(id);
  if (!shipment) co_return;
  queue::Content content;
  route::HeaderValues header;
  bool is_read = true;
  try {
    content = co_await queue_.look(*shipment->message, queue::Queue::Wanted::header);
    header = co_await header_of(content);
  } catch (const queue::QueueError&) {
    is_read = false;
  }
  shipment = queue_.find(id);
  if (!shipment) co_return;
  try {
    if (!is_read) {  // this does what is to be done about it
      content = co_await queue_.read(*shipment);
      header = co_await header_of(content);
    }
  } catch (const queue::QueueError& error) {
    tell::unreadable(log_, queue::to_string(id.message()), error.what());
    shipment = queue_.find(id);
    if (shipment && shipment->state == queue::MessageState::ready)
      queue_.release(*shipment, loop_.now() + try_again);
    co_return;
  }
  shipment = queue_.find(id);
  if (!shipment || shipment->state != queue::MessageState::ready) co_return;
  const Routed message(content.envelope, id.message().value, &header);
  const Found found = part(*shipment, groups_of(message, content.envelope, queue_.recipients(*shipment)));
  found_(found);
}

Task<route::HeaderValues> Routing::header_of(const queue::Content& content) const {
  for (;;) {
    const std::shared_ptr<const route::Router> router = setup_.router;
    route::HeaderValues values;
    if (!router->asks_header()) co_return values;
    if (content.file < 0) {
      values = router->header_values(rewrite::header_of(content.body));
      co_return values;
    }
    const auto read = [&] {
      const std::string text = read_beginning(content);
      values = router->header_values(rewrite::header_of(text));
    };
    co_await workers_.run(read);
    if (router == setup_.router) co_return values;  // else a reload asks for other fields
  }
}

// By their ways, in the order of their first recipients.
std::vector<Routing::Group> Routing::groups_of(const Routed& message, const mail::Envelope& envelope,
                                               const std::vector<std::uint32_t>& recipients) const {
  std::vector<Group> groups;
  std::unordered_map<std::size_t, std::size_t> place;  // by way
  for (const std::uint32_t each : recipients) {
    const route::Route route = setup_.router->route(message.to(envelope.recipients[each].address));
    const auto [known, fresh] = place.emplace(route.way, groups.size());
    if (fresh) groups.push_back({route, {}});
    groups[known->second].recipients.push_back(each);
  }
  return groups;
}

// Where there is no room for another shipment the rest stays in the first, whose route is then not noted:
// the attempt is for that way alone, and it is looked at again. So the first is one by which mail can go;
// where there is none, one that waits for a rule; and it is refused only where all are.
Routing::Found Routing::part(Shipment& shipment, std::vector<Group> groups) {
  const auto rank = [](const Group& group) {
    return !group.route.choices.empty() ? 0 : group.route.reject.empty() ? 1 : 2;
  };
  const auto first = std::ranges::min_element(groups, {}, rank);
  std::rotate(groups.begin(), first, first + 1);
  Found found;
  bool is_whole = true;
  for (std::size_t i = 1; i < groups.size(); ++i) {
    Shipment* const own = queue_.part(shipment, groups[i].recipients);
    if (!own) {
      is_whole = false;
      break;
    }
    note(*own, groups[i].route);
    found.emplace_back(own->id, groups[i].route);
  }
  shipment.route = 0;
  if (is_whole) note(shipment, groups.front().route);
  found.emplace(found.begin(), shipment.id, groups.front().route);
  return found;
}

void Routing::note(Shipment& shipment, const route::Route& route) {
  shipment.route = before_ + 1 + static_cast<std::uint32_t>(route.way);
  by_way_[route.way] = route;
}

route::Route Routing::of(queue::MessageId id, queue::Content& content, const route::HeaderValues& header,
                         std::string_view choice) const {
  const Routed message(content.envelope, id.value, &header);
  const auto route_of = [&](std::uint32_t each) {
    return setup_.router->route(message.to(content.envelope.recipients[each].address));
  };
  const route::Route first = route_of(content.recipients.front());
  if (!setup_.router->asks_recipients()) return first;
  const auto served = std::ranges::find_if(
      content.recipients, [&](std::uint32_t each) { return leads_to(route_of(each), choice); });
  const route::Route chosen = served == content.recipients.end() ? first : route_of(*served);
  std::erase_if(content.recipients, [&](std::uint32_t each) { return route_of(each).way != chosen.way; });
  return chosen;
}

std::vector<Routing::Way> Routing::ways_of(const queue::Message& message) const {
  std::vector<Way> ways;
  message.for_each_shipment([&](const Shipment& shipment) {
    const std::optional<route::Route> route = known(shipment);
    if (!route) return;
    const auto same = std::ranges::find(ways, route->choices.data(),
                                        [](const Way& way) { return way.route.choices.data(); });
    if (same == ways.end())
      ways.push_back({*route, shipment.route_step});
    else
      same->step = std::min<std::size_t>(same->step, shipment.route_step);
  });
  return ways;
}

std::vector<std::string> Routing::upstreams_of(const queue::Message& message) const {
  std::vector<std::string> names;
  for (const Way& way : ways_of(message))
    for (const route::Choice& choice : way.rest())
      if (std::ranges::find(names, choice.upstream->name) == names.end())
        names.push_back(choice.upstream->name);
  return names;
}

std::vector<watch::RouteSeen> Routing::routes_of(const queue::Message& message) const {
  std::vector<watch::RouteSeen> routes;
  for (const Way& way : ways_of(message)) {
    const config::SenderRule* const rule = way.route.rule;
    if (!rule) continue;
    watch::RouteSeen& seen = routes.emplace_back();
    seen.rule = rule->match;
    seen.where = route::place(setup_.router->config(), rule->file, rule->where);
    for (const route::Choice& choice : way.rest())
      seen.ways.push_back(
          {choice.upstream->name, std::string(route::user_of(choice, message.routing_sender))});
  }
  return routes;
}

}  // namespace relayd
