#include "shared/http/retry_after.hpp"

#include <algorithm>
#include <charconv>
#include <span>

#include "shared/base/ascii.hpp"

namespace relayd::http {

using std::chrono::seconds;
using std::chrono::year;

namespace {

constexpr std::string_view months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::string_view days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr std::string_view long_days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                          "Friday", "Saturday", "Sunday"};
constexpr int century = 100;

// Takes a date from the front of a text. Once something does not fit, nothing does.
class DateReader {
 public:
  explicit DateReader(std::string_view text) : rest_(text) {}

  bool take(std::string_view expected) {
    if (!fits_ || !rest_.starts_with(expected)) return fits_ = false;
    rest_.remove_prefix(expected.size());
    return true;
  }

  // From 1: its place among the names. 0: it is none of them.
  unsigned take_one_of(std::span<const std::string_view> names) {
    const auto found =
        std::ranges::find_if(names, [this](std::string_view name) { return rest_.starts_with(name); });
    if (found == names.end()) fits_ = false;
    if (!fits_) return 0;
    rest_.remove_prefix(found->size());
    return static_cast<unsigned>(found - names.begin()) + 1;
  }

  int take_number(std::size_t digits) {
    int number = 0;
    fits_ = fits_ && rest_.size() >= digits;
    for (std::size_t i = 0; fits_ && i < digits; ++i) {
      fits_ = ascii::is_digit(rest_[i]);
      number = number * 10 + (rest_[i] - '0');
    }
    if (fits_) rest_.remove_prefix(digits);
    return number;
  }

  // asctime() has a space in the place of a zero.
  unsigned take_day() {
    return static_cast<unsigned>(rest_.starts_with(' ') && take(" ") ? take_number(1) : take_number(2));
  }

  // "08:49:37"; a leap second is 60.
  seconds take_time() {
    const int hour = take_number(2);
    take(":");
    const int minute = take_number(2);
    take(":");
    const int second = take_number(2);
    fits_ = fits_ && hour < 24 && minute < 60 && second <= 60;
    return std::chrono::hours(hour) + std::chrono::minutes(minute) + seconds(second);
  }

  bool has_taken_all() const { return fits_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool fits_ = true;
};

std::optional<WallTime> at(const DateReader& reader, std::chrono::year_month_day date, seconds time) {
  if (!reader.has_taken_all() || !date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + time;
}

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::optional<WallTime> parse_fixdate(std::string_view text) {
  DateReader reader(text);
  reader.take_one_of(days);
  reader.take(", ");
  const std::chrono::day day(static_cast<unsigned>(reader.take_number(2)));
  reader.take(" ");
  const std::chrono::month month(reader.take_one_of(months));
  reader.take(" ");
  const year full(reader.take_number(4));
  reader.take(" ");
  const seconds time = reader.take_time();
  reader.take(" GMT");
  return at(reader, full / month / day, time);
}

// "Sunday, 06-Nov-94 08:49:37 GMT": what would be more than 50 years ahead is in the past.
std::optional<WallTime> parse_rfc850(std::string_view text, WallTime now) {
  DateReader reader(text);
  reader.take_one_of(long_days);
  reader.take(", ");
  const std::chrono::day day(static_cast<unsigned>(reader.take_number(2)));
  reader.take("-");
  const std::chrono::month month(reader.take_one_of(months));
  reader.take("-");
  const int this_year(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(now)).year());
  int full = this_year - this_year % century + reader.take_number(2);
  if (full > this_year + 50) full -= century;
  reader.take(" ");
  const seconds time = reader.take_time();
  reader.take(" GMT");
  return at(reader, year(full) / month / day, time);
}

// "Sun Nov  6 08:49:37 1994"
std::optional<WallTime> parse_asctime(std::string_view text) {
  DateReader reader(text);
  reader.take_one_of(days);
  reader.take(" ");
  const std::chrono::month month(reader.take_one_of(months));
  reader.take(" ");
  const std::chrono::day day(reader.take_day());
  reader.take(" ");
  const seconds time = reader.take_time();
  reader.take(" ");
  const year full(reader.take_number(4));
  return at(reader, full / month / day, time);
}

}  // namespace

std::optional<WallTime> parse_date(std::string_view value, WallTime now) {
  std::optional<WallTime> when = parse_fixdate(value);
  if (!when) when = parse_rfc850(value, now);
  if (!when) when = parse_asctime(value);
  return when;
}

std::optional<seconds> retry_after(std::string_view value, WallTime now) {
  if (!value.empty() && std::ranges::all_of(value, ascii::is_digit)) {
    std::int64_t count = longest_retry_after.count();  // stays, where it is more than an integer holds
    std::from_chars(value.data(), value.data() + value.size(), count);
    return std::min(seconds(count), longest_retry_after);
  }
  const std::optional<WallTime> when = parse_date(value, now);
  if (!when) return std::nullopt;
  return std::clamp(std::chrono::ceil<seconds>(*when - now), seconds(0), longest_retry_after);
}

}  // namespace relayd::http
