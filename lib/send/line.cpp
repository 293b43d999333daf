#include "send/line.hpp"

#include <algorithm>

namespace relayd::send {

namespace {
constexpr std::size_t most_resting = 1000;  // senders, while nobody waits
}

void Line::queue_up(Senders::iterator sender) {
  turns_.emplace(std::pair(sender->second.turn, ++arrivals_), sender);
}

void Line::push(std::string_view sender, Ticket ticket) {
  const auto [found, fresh] = senders_.try_emplace(std::string(sender));
  const bool waited = !found->second.tickets.empty();
  found->second.tickets.push_back(ticket);
  ++size_;
  if (waited) return;
  if (!fresh) {
    auto [place, end] = resting_.equal_range(found->second.turn);
    while (place->second != found) ++place;
    resting_.erase(place);
  }
  found->second.turn = std::max(found->second.turn, turn_);
  queue_up(found);
}

std::optional<Ticket> Line::pop(std::uint64_t most) {
  if (turns_.empty()) return std::nullopt;
  const Senders::iterator sender = turns_.begin()->second;
  turns_.erase(turns_.begin());
  std::list<Ticket>& tickets = sender->second.tickets;
  Ticket ticket = tickets.front();
  ticket.recipients = static_cast<std::uint32_t>(std::min<std::uint64_t>(ticket.recipients, most));
  tickets.pop_front();
  --size_;
  turn_ = sender->second.turn;
  sender->second.turn += ticket.recipients;
  if (tickets.empty())
    resting_.emplace(sender->second.turn, sender);
  else
    queue_up(sender);
  forget();
  return ticket;
}

// Those whose turn has come while they had nothing waiting.
void Line::forget() {
  const bool all = size_ == 0 && resting_.size() > most_resting;
  while (!resting_.empty() && (all || resting_.begin()->first <= turn_)) {
    senders_.erase(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
}

std::list<Ticket> Line::take_all() {
  std::list<Ticket> all;
  for (auto& [name, sender] : senders_) all.splice(all.end(), sender.tickets);
  senders_.clear();
  turns_.clear();
  resting_.clear();
  size_ = 0;
  return all;
}

}  // namespace relayd::send
