#include "shared/config/limit.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

#include "shared/config/value.hpp"

namespace relayd::config {

using namespace std::chrono_literals;
using std::chrono::seconds;

namespace {

constexpr Word<seconds> rate_periods[] = {{"s", 1s}, {"m", 1min}, {"h", 1h}};

// "30 messages/m" in its three parts.
struct Limit {
  std::uint64_t count = 0;
  Counted counted = Counted::recipients;
  std::string_view period;
};

// Nothing when no whole number above 0 stands first, when it counts something else, or for no time.
std::optional<Limit> split(std::string_view text) {
  Limit limit;
  const char* const last = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), last, limit.count);
  if (failure != std::errc() || limit.count == 0) return {};
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  for (const auto& [word, counted] : words_of(Counted{})) {
    const std::string name = fmt::format(" {}", word);
    if (!text.starts_with(name)) continue;
    limit.counted = counted;
    text.remove_prefix(name.size());
    break;
  }
  if (!text.starts_with('/')) return {};
  limit.period = text.substr(1);
  return limit;
}

std::string counted_text(std::uint64_t count, Counted counted) {
  return counted == Counted::recipients ? fmt::format("{}", count) : fmt::format("{} messages", count);
}

// As one would write it: 24h, but 7d.
std::string span_text(seconds span) {
  if (span > 24h && span % 24h == 0s) return fmt::format("{}d", span / 24h);
  if (span % 1h == 0s) return fmt::format("{}h", span / 1h);
  return span % 1min == 0s ? fmt::format("{}m", span / 1min) : fmt::format("{}s", span / 1s);
}

std::optional<seconds> span_of(std::string_view text) {
  const Result<std::chrono::milliseconds> span = parse_duration(text);
  if (!span || *span < Quota::shortest_span || *span > Quota::longest_span || *span % 1s != 0s) return {};
  return std::chrono::floor<seconds>(*span);
}

template <class T>
std::string list_text(const std::vector<T>& limits) {
  std::string text;
  for (const T& limit : limits) text += (text.empty() ? "" : ", ") + to_string(limit);
  return text.empty() ? "none" : text;
}

}  // namespace

std::string to_string(Rate rate) {
  std::string_view unit = "s";
  for (const auto& [name, period] : rate_periods)
    if (period == rate.period) unit = name;
  return fmt::format("{}/{}", counted_text(rate.count, rate.counted), unit);
}

std::string to_string(Quota quota) {
  return fmt::format("{}/{}", counted_text(quota.count, quota.counted), period_text(quota));
}

std::string period_text(const Quota& quota) {
  if (quota.period == Quota::Period::sliding) return span_text(quota.span);
  return std::string(word_for(quota.period));
}

std::string to_string(const std::vector<Rate>& rates) {
  return list_text(rates);
}

std::string to_string(const std::vector<Quota>& quotas) {
  return list_text(quotas);
}

Result<Rate> parse_rate(std::string_view text) {
  const std::optional<Limit> limit = split(text);
  const bool countable = limit && limit->count <= std::numeric_limits<std::uint32_t>::max();
  for (const auto& [unit, period] : rate_periods)
    if (countable && unit == limit->period)
      return Rate{static_cast<std::uint32_t>(limit->count), period, limit->counted};
  return Error{
      fmt::format("'{}' is not a rate (1 or more recipients or messages in a second, minute or hour, such as "
                  "14/s, 1000/h or 30 messages/m; what a day allows is a quota)",
                  text)};
}

Result<Quota> parse_quota(std::string_view text) {
  const std::optional<Limit> limit = split(text);
  if (limit) {
    if (const auto period = find_word<Quota::Period>(limit->period))
      return Quota{limit->count, *period, {}, limit->counted};
    if (const std::optional<seconds> span = span_of(limit->period))
      return Quota{limit->count, Quota::Period::sliding, *span, limit->counted};
  }
  return Error{fmt::format(
      "'{}' is not a quota (1 or more recipients or messages in a calendar day or month, or in any span "
      "from 1m to 31d, such as 50000/day, 1000000/month, 50000/24h or 2000 messages/24h)",
      text)};
}

bool alike(const Rate& a, const Rate& b) {
  return a.period == b.period && a.counted == b.counted;
}

bool alike(const Quota& a, const Quota& b) {
  return a.period == b.period && a.span == b.span && a.counted == b.counted;
}

}  // namespace relayd::config
