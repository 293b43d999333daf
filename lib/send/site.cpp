#include "send/site.hpp"

#include <algorithm>

#include "send/lane.hpp"

namespace relayd::send {

namespace {
// Lanes that are looked at in one turn of the loop.
constexpr std::size_t lanes_in_a_turn = 500;
constexpr Duration ceiling_rises_after = std::chrono::minutes(1);
}  // namespace

void Site::offer_room() {
  // Whoever takes it may find the site away at once: then nobody waits any more.
  for (std::size_t left = waiting.size(); left > 0 && !waiting.empty() && has_room(); --left) {
    Lane* const lane = waiting.front();
    lane->stop_waiting();
    lane->pump();
  }
}

void Site::delivered() {
  if (ramp_ < limit) ++ramp_;
  if (!waiting.empty()) offer_room();
}

bool Site::use_fewer_connections() {
  if (used <= 1) return false;
  use_at_most(used - 1);
  return true;
}

void Site::use_at_most(std::uint32_t connections) {
  ceiling_ = connections;
  ceiling_since_ = loop_.now();
}

std::uint64_t Site::ceiling() const {
  return ceiling_ + static_cast<std::uint64_t>((loop_.now() - ceiling_since_) / ceiling_rises_after);
}

// --- health ---

void Site::pause(SteadyTime until, Probe probe) {
  breaker_.pause(until, probe);
  ceiling_ = no_ceiling;  // the ramp knows better
  prober_ = nullptr;
  opening_.at(until, [this] { open_for_one(); });
  tell_lanes();
}

void Site::knock_again(SteadyTime at) {
  breaker_.knock_again(at);
  prober_ = nullptr;
  opening_.at(at, [this] { open_for_one(); });
}

void Site::resume() {
  if (!in_trouble()) return;
  breaker_.reset();
  prober_ = nullptr;
  opening_.cancel();
  ramp_ = std::max(used, 1U);
  tell_lanes();
}

void Site::probe() {
  if (!in_trouble() || !breaker_.paused(loop_.now())) return;
  breaker_.end_pause();
  opening_.at(loop_.now(), [this] { open_for_one(); });
}

bool Site::closed_to(const Lane& lane) const {
  if (!in_trouble()) return false;
  return breaker_.paused(loop_.now()) || (prober_ && prober_ != &lane);
}

void Site::await_opening() {
  if (!in_trouble() || prober_ || opening_.armed()) return;
  opening_.at(std::max(breaker_.until(), loop_.now()), [this] { open_for_one(); });
}

void Site::claim(const Lane& lane) {
  if (in_trouble() && !prober_) prober_ = &lane;
}

void Site::release(const Lane& lane) {
  if (prober_ != &lane) return;
  prober_ = nullptr;
  await_opening();
}

void Site::leave(Lane& lane) {
  lanes_.erase(&lane);
  release(lane);
}

// The lanes take turns: one that cannot show anything keeps no other from trying. With nobody who misses mail
// the next message probes, whosever it is.
void Site::open_for_one() {
  to_ask_ = lanes_.size();
  ask_lanes();
}

void Site::ask_lanes() {
  for (std::size_t i = 0; i < lanes_in_a_turn && to_ask_ > 0 && !lanes_.empty(); ++i, --to_ask_) {
    if (!in_trouble() || breaker_.paused(loop_.now()) || prober_) return;
    auto next = lanes_.upper_bound(asked_);
    if (next == lanes_.end()) next = lanes_.begin();
    asked_ = *next;
    asked_->try_site();
  }
  if (to_ask_ > 0) opening_.at(loop_.now(), [this] { ask_lanes(); });
}

void Site::tell_lanes() {
  told_ = nullptr;
  tell_more();
}

// Many lanes must not hold up the loop.
void Site::tell_more() {
  auto next = lanes_.upper_bound(told_);
  for (std::size_t i = 0; i < lanes_in_a_turn && next != lanes_.end(); ++i) {
    told_ = *next;
    told_->site_changed();
    next = lanes_.upper_bound(told_);
  }
  if (next != lanes_.end()) telling_.at(loop_.now(), [this] { tell_more(); });
}

}  // namespace relayd::send
