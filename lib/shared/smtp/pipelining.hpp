// Pipelining: how commands are grouped towards a server that offers PIPELINING (RFC 2920). A plain value.
#pragma once

#include <array>
#include <string_view>

#include "shared/base/words.hpp"

namespace relayd::smtp {

enum class Pipelining {
  ahead,        // the next message's envelope rides behind the final dot of the present one
  transaction,  // the commands of one message together
  off,          // one command at a time
};

constexpr auto words_of(Pipelining) {
  using enum Pipelining;
  return std::to_array<Word<Pipelining>>({{"ahead", ahead}, {"transaction", transaction}, {"off", off}});
}
constexpr std::string_view to_string(Pipelining pipelining) {
  return word_for(pipelining);
}

}  // namespace relayd::smtp
