// Token: the header field by which the sink knows a message of the load generator again.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace relayd::bench {

struct Token {
  static constexpr std::string_view field = "X-Bench: ";
  static constexpr std::size_t number_width = 10;
  static constexpr std::size_t begun_width = 20;

  std::uint64_t number = 0;  // of the message, from 0
  std::uint64_t begun = 0;   // when its client began, as now() counts

  // None when the line is another field.
  static std::optional<Token> read(std::string_view line) {
    if (!line.starts_with(field)) return std::nullopt;
    line.remove_prefix(field.size());
    if (line.size() != number_width + 1 + begun_width) return std::nullopt;
    Token token;
    std::from_chars(line.data(), line.data() + number_width, token.number);
    std::from_chars(line.data() + number_width + 1, line.data() + line.size(), token.begun);
    return token;
  }

  // Over the value of the field, which has that width already.
  void write(char* value) const {
    digits(value, number_width, number);
    digits(value + number_width + 1, begun_width, begun);
  }

 private:
  static void digits(char* end, std::size_t width, std::uint64_t value) {
    for (std::size_t i = width; i-- > 0; value /= 10) end[i] = static_cast<char>('0' + value % 10);
  }
};

}  // namespace relayd::bench
