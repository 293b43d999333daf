// Rate and Quota: what an upstream takes in a time, as the configuration says it. Plain values and their
// text.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/base/words.hpp"

namespace relayd::config {

// What a limit counts.
enum class Counted { recipients, messages };
constexpr auto words_of(Counted) {
  using enum Counted;
  return std::to_array<Word<Counted>>({{"recipients", recipients}, {"messages", messages}});
}
constexpr std::string_view to_string(Counted counted) {
  return word_for(counted);
}

// In a second, minute or hour: "14/s" (recipients), "30 messages/m".
struct Rate {
  std::uint32_t count = 0;
  std::chrono::seconds period{1};
  Counted counted = Counted::recipients;
  bool operator==(const Rate&) const = default;
};
std::string to_string(Rate rate);
// Error: what a rate is, for the operator; also for 0.
Result<Rate> parse_rate(std::string_view text);

// In a calendar day or month, UTC: "50000/day", "1000000/month"; or in any span of so long: "2000
// messages/24h".
struct Quota {
  enum class Period { day, month, sliding };  // of the calendar, UTC; any span of so long
  static constexpr std::chrono::seconds shortest_span = std::chrono::minutes(1);
  static constexpr std::chrono::seconds longest_span = std::chrono::days(31);

  std::uint64_t count = 0;
  Period period = Period::day;
  std::chrono::seconds span{0};  // of a sliding one
  Counted counted = Counted::recipients;
  bool operator==(const Quota&) const = default;
};
// A sliding one has no name: its span is written instead.
constexpr auto words_of(Quota::Period) {
  using enum Quota::Period;
  return std::to_array<Word<Quota::Period>>({{"day", day}, {"month", month}});
}
std::string to_string(Quota quota);
std::string period_text(const Quota& quota);  // "day", "month", "24h"
// Error: what a quota is, for the operator; also for 0.
Result<Quota> parse_quota(std::string_view text);

// They count the same in the same time: of two such, one is too many.
bool alike(const Rate& a, const Rate& b);
bool alike(const Quota& a, const Quota& b);

// "14/s, 30 messages/m"; "none" for an empty list.
std::string to_string(const std::vector<Rate>& rates);
std::string to_string(const std::vector<Quota>& quotas);

}  // namespace relayd::config
