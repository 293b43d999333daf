// TlsMode: when a connection becomes TLS, of a listener as of an upstream. A plain value.
#pragma once

#include <array>
#include <string_view>

#include "shared/base/words.hpp"

namespace relayd::smtp {

enum class TlsMode {
  none,
  starttls,  // after the command (RFC 3207)
  implicit,  // from the first octet (RFC 8314 3)
};

constexpr auto words_of(TlsMode) {
  using enum TlsMode;
  return std::to_array<Word<TlsMode>>({{"none", none}, {"starttls", starttls}, {"implicit", implicit}});
}
constexpr std::string_view to_string(TlsMode mode) {
  return word_for(mode);
}

}  // namespace relayd::smtp
