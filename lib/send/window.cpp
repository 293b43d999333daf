#include "send/window.hpp"

#include <limits>

namespace relayd::send {

namespace {
constexpr int slices_in_span = 48;

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  return a > most - b ? most : a + b;
}
}  // namespace

Window::Window(std::chrono::seconds span) : span_(span), slice_(Time(span) / slices_in_span + Time(1)) {}

std::int64_t Window::number_of(Time time) const {
  const std::int64_t number = time / slice_;
  return number * slice_ > time ? number - 1 : number;
}

bool Window::counts(std::int64_t number, Time now) const {
  const Time begin = number * slice_;
  return begin <= now + span_ && now - span_ < begin + slice_;
}

void Window::add(std::uint64_t count, Time now) {
  std::erase_if(used_, [this, now](const auto& entry) { return !counts(entry.first, now); });
  if (count == 0) return;
  std::uint64_t& used = used_[number_of(now)];
  used = sum(used, count);
}

std::uint64_t Window::used(Time now) const {
  std::uint64_t used = 0;
  for (const auto& [number, count] : used_)
    if (counts(number, now)) used = sum(used, count);
  return used;
}

std::optional<Window::Time> Window::eases_at(Time now) const {
  for (const auto& [number, count] : used_)
    if (counts(number, now)) return (number + 1) * slice_ + span_;
  return std::nullopt;
}

std::vector<Window::Slice> Window::slices(Time now) const {
  std::vector<Slice> slices;
  for (const auto& [number, count] : used_)
    if (counts(number, now)) slices.push_back({number * slice_, count});
  return slices;
}

}  // namespace relayd::send
