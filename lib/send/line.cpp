#include "send/line.hpp"

#include <algorithm>
#include <iterator>

namespace relayd::send {

namespace {
constexpr std::size_t most_resting = 1000;  // senders, while nobody waits
constexpr unsigned most_gone = 500;         // in one call
constexpr std::ptrdiff_t cheap_move = 4000;
}  // namespace

// By age, where that moves few of the others.
void Line::Sender::add(std::uint64_t message) {
  const auto begin = std::next(messages.begin(), static_cast<std::ptrdiff_t>(first));
  const auto place = std::lower_bound(begin, messages.end(), message);
  if (place != messages.end() && first > 0 && place - begin <= cheap_move) {
    *std::move(begin, place, std::prev(begin)) = message;
    --first;
  } else {
    messages.insert(messages.end() - place <= cheap_move ? place : messages.end(), message);
  }
}

// What was taken is forgotten when it is half of all.
std::uint64_t Line::Sender::take() {
  const std::uint64_t message = messages[first++];
  if (2 * first >= messages.size()) {
    messages.erase(messages.begin(), std::next(messages.begin(), static_cast<std::ptrdiff_t>(first)));
    first = 0;
    if (4 * messages.size() < messages.capacity()) messages.shrink_to_fit();
  }
  return message;
}

void Line::queue_up(Senders::iterator sender) {
  turns_.emplace(std::pair(sender->second.turn, ++arrivals_), sender);
}

void Line::push(std::string_view sender, std::uint64_t message) {
  const auto [found, fresh] = senders_.try_emplace(std::string(sender));
  const bool waited = found->second.waits();
  found->second.add(message);
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

// Ends when many have gone, too: then somebody may.
bool Line::somebody_waits(const Ask& ask) {
  for (unsigned gone = 0; gone < most_gone && !turns_.empty();) {
    const Senders::iterator sender = turns_.begin()->second;
    for (; gone < most_gone && sender->second.waits(); ++gone) {
      if (ask(sender->second.messages[sender->second.first]) > 0) return true;
      sender->second.take();
      --size_;
    }
    if (sender->second.waits()) break;
    turns_.erase(turns_.begin());
    resting_.emplace(sender->second.turn, sender);
    forget();
  }
  return !empty();
}

std::optional<Ticket> Line::pop(std::uint64_t most, const Ask& ask) {
  for (unsigned gone = 0; gone < most_gone && !turns_.empty();) {
    const Senders::iterator sender = turns_.begin()->second;
    turns_.erase(turns_.begin());
    turn_ = sender->second.turn;
    std::optional<Ticket> ticket;
    while (!ticket && gone < most_gone && sender->second.waits()) {
      const std::uint64_t message = sender->second.take();
      --size_;
      const std::uint32_t recipients = ask(message);
      if (recipients == 0)
        ++gone;
      else
        ticket = Ticket{message, static_cast<std::uint32_t>(std::min<std::uint64_t>(recipients, most))};
    }
    if (ticket) sender->second.turn += ticket->recipients;
    if (sender->second.waits())
      queue_up(sender);
    else
      resting_.emplace(sender->second.turn, sender);
    forget();
    if (ticket) return ticket;
  }
  return std::nullopt;
}

// Those whose turn has come while they had nothing waiting.
void Line::forget() {
  const bool all = size_ == 0 && resting_.size() > most_resting;
  while (!resting_.empty() && (all || resting_.begin()->first <= turn_)) {
    senders_.erase(resting_.begin()->second);
    resting_.erase(resting_.begin());
  }
}

std::vector<std::uint64_t> Line::take_all() {
  std::vector<std::uint64_t> all;
  all.reserve(size_);
  for (auto& [name, sender] : senders_)
    all.insert(all.end(), std::next(sender.messages.begin(), static_cast<std::ptrdiff_t>(sender.first)),
               sender.messages.end());
  senders_.clear();
  turns_.clear();
  resting_.clear();
  size_ = 0;
  return all;
}

}  // namespace relayd::send
