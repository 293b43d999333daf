// The keys of the queue.
#include <array>

#include "shared/config/keys.hpp"

namespace relayd::config {

static constexpr auto words_of(Queue::InDoubt) {
  using enum Queue::InDoubt;
  return std::to_array<Word<Queue::InDoubt>>({{"retry", retry}, {"hold", hold}});
}

const Keys<Retry>& keys_of(const Retry*) {
  static const Keys<Retry> keys = {
      key("first", &Retry::first),
      key("factor", &Retry::factor),
      key("maximum", &Retry::maximum),
      key("jitter", &Retry::jitter),
  };
  return keys;
}

const Keys<Queue>& keys_of(const Queue*) {
  static const Keys<Queue> keys = {
      path("directory", &Queue::directory),
      key("lifetime", &Queue::lifetime),
      key("retry", &Queue::retry),
      key("reserve", &Queue::reserve),
      key("keep_failed", &Queue::keep_failed),
      key("require_persistent", &Queue::require_persistent),
      key("in_doubt", &Queue::in_doubt),
      path("drop", &Queue::drop),
  };
  return keys;
}

}  // namespace relayd::config
