#include "send/line.hpp"

namespace relayd::send {

void Line::queue_up(Senders::iterator sender) {
  turns_.emplace(std::pair(sender->second.turn, ++arrivals_), sender);
}

void Line::push(std::string_view sender, Ticket ticket) {
  const auto [found, fresh] = senders_.try_emplace(std::string(sender));
  found->second.tickets.push_back(ticket);
  ++size_;
  if (!fresh) return;
  found->second.turn = turn_;
  queue_up(found);
}

std::optional<Ticket> Line::pop() {
  if (turns_.empty()) return std::nullopt;
  const Senders::iterator sender = turns_.begin()->second;
  turns_.erase(turns_.begin());
  std::list<Ticket>& tickets = sender->second.tickets;
  const Ticket ticket = tickets.front();
  tickets.pop_front();
  --size_;
  turn_ = sender->second.turn;
  sender->second.turn += ticket.recipients;
  if (tickets.empty())
    senders_.erase(sender);
  else
    queue_up(sender);
  return ticket;
}

std::list<Ticket> Line::take_all() {
  std::list<Ticket> all;
  for (auto& [name, sender] : senders_) all.splice(all.end(), sender.tickets);
  senders_.clear();
  turns_.clear();
  size_ = 0;
  return all;
}

}  // namespace relayd::send
