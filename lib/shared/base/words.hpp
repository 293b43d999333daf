// Words: the names of an enumeration's values, as the configuration, the log and the commands have them.
//
// Stands under every room. An enumeration that has names has one table of them, beside it:
// `constexpr auto words_of(E)`, an array of Word<E>.
#pragma once

#include <optional>
#include <string_view>

namespace relayd {

template <class E>
struct Word {
  std::string_view word;
  E value;
};

// Empty for a value without a name.
template <class E>
constexpr std::string_view word_for(E wanted) {
  for (const auto& [word, value] : words_of(wanted))
    if (value == wanted) return word;
  return {};
}

// As it is written there; nothing for an unknown word.
template <class E>
constexpr std::optional<E> find_word(std::string_view wanted) {
  for (const auto& [word, value] : words_of(E{}))
    if (word == wanted) return value;
  return {};
}

}  // namespace relayd
