#include "relay/lines.hpp"

#include <algorithm>
#include <utility>

namespace relayd {

using queue::MessageState;
using queue::Shipment;
using queue::ShipmentId;
using send::Ticket;

namespace {

constexpr auto look_again_after = std::chrono::milliseconds(2);
constexpr std::size_t moved_at_once = 1000;
// A lane of a sender that nothing came for goes after this; the others stay, as they are few.
constexpr auto idle_lane_goes_after = std::chrono::minutes(10);

// What troubles a lane, or closes it, is a reason to pass it over.
bool may_be_passed_over(const LaneEntry& lane) {
  if (lane.stopped()) return true;
  settle::ReplyClass what = settle::ReplyClass::quota;
  if (lane.breaker().in_trouble()) what = lane.pause_reason.reply_class;
  if (lane.site.in_trouble()) what = lane.site.pause_reason.reply_class;
  return lane.retry_next_on.has(what);
}

// The first lane that is open; null: none. One that tries whether its trouble is over has enough with one
// message.
LaneEntry* way_of(const RouteLine& line) {
  for (LaneEntry* const lane : line.lanes) {
    if (lane->open() && !lane->probing()) return lane;
    if (!may_be_passed_over(*lane)) break;
  }
  return nullptr;
}

}  // namespace

// Choices that lead to lanes of senders are not one line.
RouteLine& Lines::line_of(std::span<const route::Choice> choices, std::string_view sender) {
  std::vector<LaneEntry*> lanes;
  if (std::ranges::any_of(choices, &route::Choice::is_of_sender)) {
    for (const route::Choice& choice : choices) lanes.push_back(&lanes_.lane_for(choice, sender));
    if (!idle_.armed()) idle_.at(loop_.now() + idle_lane_goes_after, [this] { drop_idle(); });
    return line_through(std::move(lanes));
  }
  RouteLine*& known = by_choices_[{choices.data(), choices.size()}];
  if (known) return *known;
  for (const route::Choice& choice : choices) lanes.push_back(&lanes_.lane_for(choice, sender));
  known = &line_through(std::move(lanes));
  return *known;
}

RouteLine& Lines::line_through(std::vector<LaneEntry*> lanes) {
  std::unique_ptr<RouteLine>& line = lines_[lanes];
  if (line) return *line;
  line = std::make_unique<RouteLine>();
  line->number = ++last_number_;
  line->lanes = std::move(lanes);
  for (LaneEntry* const lane : line->lanes) lane->routes.push_back(line.get());
  return *line;
}

bool Lines::is_idle(const LaneEntry& lane) const {
  const auto has_mail = [](const RouteLine* line) { return !line->line.empty(); };
  return lane.of_sender && lane.connections() == 0 && !lane.stopped() && lane.paused_until() <= loop_.now() &&
         lane.used_at + idle_lane_goes_after <= loop_.now() && std::ranges::none_of(lane.routes, has_mail);
}

// With the lines that lead to it, in which nothing stands.
void Lines::drop(LaneEntry& lane) {
  for (RouteLine* const line : std::exchange(lane.routes, {})) {
    if (line->way) line->way->lines.erase(line->place);
    for (LaneEntry* const other : line->lanes) std::erase(other->routes, line);
    const std::vector<LaneEntry*> lanes = line->lanes;
    lines_.erase(lanes);
  }
  put_off_.erase(&lane);
  lanes_.remove(lane);
}

void Lines::drop_idle() {
  std::vector<LaneEntry*> idle;
  bool others = false;
  lanes_.for_each([&](LaneEntry& lane) {
    if (is_idle(lane))
      idle.push_back(&lane);
    else
      others |= lane.of_sender;
  });
  for (LaneEntry* const lane : idle) drop(*lane);
  if (others) idle_.at(loop_.now() + idle_lane_goes_after, [this] { drop_idle(); });
}

void Lines::put(Shipment& shipment, std::span<const route::Choice> choices, SteadyTime until) {
  RouteLine& line = line_of(choices, shipment.message->routing_sender);
  for (LaneEntry* const lane : line.lanes) lane->used_at = loop_.now();
  const bool stands_there = shipment.line == line.number;
  shipment.line = line.number;
  const ShipmentId id = shipment.id;
  queue_.release(shipment, until);
  if (!queue_.find(id)) return;  // it was deleted meanwhile
  if (!stands_there) line.line.push(shipment.message->routing_sender, id.value);
  if (!line.way) assign(line);
  if (line.way) return line.way->pump();
  for (LaneEntry* const lane : line.lanes) lane->await_opening();
}

// True: another lane may take from it now.
bool Lines::assign(RouteLine& line) {
  LaneEntry* const way = line.line.empty() ? nullptr : way_of(line);
  if (way == line.way) return false;
  if (line.way) line.way->lines.erase(line.place);
  line.way = way;
  if (!way) return false;
  line.place = way->lines.insert(way->lines.end(), &line);
  return true;
}

// Lines take turns, shipment by shipment.
std::optional<Ticket> Lines::next(LaneEntry& lane, std::uint64_t most) {
  while (!lane.lines.empty()) {
    if (!queue_.may_begin()) break;
    RouteLine& line = *lane.lines.front();
    lane.lines.splice(lane.lines.end(), lane.lines, line.place);
    const std::optional<Ticket> ticket = line.line.pop(most, [&](std::uint64_t id) { return ask(line, id); });
    if (line.line.empty()) assign(line);
    if (!ticket && !line.line.empty()) break;  // many had gone
    if (!ticket) continue;
    for (LaneEntry* const other : line.lanes) {
      if (other == &lane) break;
      if (std::exchange(other->passed_over, true)) continue;
      other->await_opening();
    }
    queue_.take(*queue_.find(ShipmentId::of(ticket->message)));
    return ticket;
  }
  if (!lane.lines.empty()) put_off(lane);
  return std::nullopt;
}

// For how many recipients it is.
std::uint32_t Lines::ask(const RouteLine& line, std::uint64_t id) {
  if (!stands_in(line, id)) return 0;
  Shipment* const shipment = queue_.find(ShipmentId::of(id));
  shipment->line = 0;
  return shipment->unsent;
}

// Until the disk has caught up, or other work had its turn.
void Lines::put_off(LaneEntry& lane) {
  put_off_.insert(&lane);
  if (later_.armed()) return;
  later_.at(loop_.now() + look_again_after, [this] {
    for (LaneEntry* const waiting : std::exchange(put_off_, {})) waiting->pump();
  });
}

void Lines::changed(LaneEntry& lane) {
  std::vector<LaneEntry*> ways;
  for (RouteLine* const line : lane.routes)
    if (assign(*line) && (ways.empty() || ways.back() != line->way)) ways.push_back(line->way);
  for (LaneEntry* const way : ways) way->pump();
}

bool Lines::misses(const LaneEntry& lane) {
  return lane.passed_over || std::ranges::any_of(lane.routes, [this](RouteLine* line) {
           return line->line.somebody_waits([&](std::uint64_t id) { return stands_in(*line, id) ? 1U : 0U; });
         });
}

// It waits, and here. Who does not has left the line.
bool Lines::stands_in(const RouteLine& line, std::uint64_t id) {
  Shipment* const shipment = queue_.find(ShipmentId::of(id));
  if (!shipment || shipment->line != line.number) return false;
  if (shipment->state == MessageState::waiting) return true;
  shipment->line = 0;
  return false;
}

std::size_t Lines::waiting_now(const LaneEntry& lane) const {
  std::size_t count = 0;
  for (const RouteLine* const line : lane.lines) count += line->line.size();
  return count;
}

std::size_t Lines::waiting(const LaneEntry& lane) const {
  std::size_t count = 0;
  for (const RouteLine* const line : lane.routes)
    if (line->way == &lane || (!line->way && line->lanes.front() == &lane)) count += line->line.size();
  return count;
}

void Lines::renew() {
  by_choices_.clear();
  for (auto& [lanes, line] : lines_)
    for (const std::uint64_t id : line->line.take_all()) old_.emplace_back(line->number, id);
  lanes_.for_each([](LaneEntry& lane) {
    lane.lines.clear();
    lane.routes.clear();
  });
  lines_.clear();
  empty_old();
}

// The queue hands them out again, and they are routed anew.
void Lines::empty_old() {
  for (std::size_t i = 0; i < moved_at_once && !old_.empty(); ++i) {
    const auto [number, id] = old_.front();
    old_.pop_front();
    Shipment* const shipment = queue_.find(ShipmentId::of(id));
    if (!shipment || shipment->line != number) continue;
    shipment->line = 0;
    shipment->route_step = 0;
    if (queue_.take(*shipment)) queue_.release(*shipment, loop_.now());
  }
  if (!old_.empty()) renewal_.at(loop_.now(), [this] { empty_old(); });
}

}  // namespace relayd
