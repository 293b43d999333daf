// Cap: what of an upstream's is limited by number, as its replies name it and its operator configures it.
//
// The words are keys of the configuration. Rows of replies name a cap, settle finds its number, send keeps to
// it. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "shared/base/words.hpp"

namespace relayd::smtp {

enum class Cap {
  none,
  connections,        // of one account
  connections_total,  // of our address
  messages_per_connection,
  recipients_per_connection,
  recipients_per_message,
};

constexpr auto words_of(Cap) {
  using enum Cap;
  return std::to_array<Word<Cap>>({{"connections", connections},
                                   {"connections_total", connections_total},
                                   {"messages_per_connection", messages_per_connection},
                                   {"recipients_per_connection", recipients_per_connection},
                                   {"recipients_per_message", recipients_per_message}});
}
constexpr std::string_view to_string(Cap cap) {
  return word_for(cap);
}

// How many a reply has shown that there may be.
struct FoundCap {
  Cap cap = Cap::none;
  std::uint32_t most = 0;
  bool named = false;  // the reply says this number; else it is what was taken before
  bool operator==(const FoundCap&) const = default;
};

// What a connection had carried before a message.
struct Carried {
  std::uint32_t messages = 0;
  std::uint64_t recipients = 0;
};

}  // namespace relayd::smtp
