#include "watch/metrics_format.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::watch {

using telemetry::MetricFormat;

namespace {

// Takes what stands before the separator, which may also stand in a quoted string, off the text.
std::string_view take(std::string_view& text, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < text.size() && (quoted || text[end] != separator); ++end)
    if (text[end] == '"')
      quoted = !quoted;
    else if (quoted && text[end] == '\\')
      ++end;
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return ascii::trimmed(part, ascii::blanks);
}

// In thousandths, "0.5" is 500; what is none counts as nothing.
int weight_of(std::string_view text) {
  constexpr std::size_t longest = 5;
  if (text.empty() || text.size() > longest || (text[0] != '0' && text[0] != '1')) return 0;
  if (text.size() > 1 && text[1] != '.') return 0;
  int weight = text[0] == '1' ? 1000 : 0;
  text.remove_prefix(std::min<std::size_t>(2, text.size()));
  for (int unit = 100; !text.empty(); text.remove_prefix(1), unit /= 10) {
    if (!ascii::is_digit(text[0])) return 0;
    weight += (text[0] - '0') * unit;
  }
  return std::min(weight, 1000);
}

// One of the media ranges, "text/plain; version=0.0.4; q=0.5". Of its other parameters none matters: UTF-8 is
// all we have.
struct Range {
  std::string_view type;
  std::string_view version = {};
  int weight = 1000;
};

Range read_range(std::string_view text) {
  Range range{take(text, ';')};
  while (!text.empty()) {
    std::string_view value = take(text, ';');
    const std::string_view name = take(value, '=');
    if (value.size() > 1 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (ascii::equal_ignoring_case(name, "version")) range.version = value;
    if (ascii::equal_ignoring_case(name, "q")) range.weight = weight_of(value);
  }
  return range;
}

// How closely a range names the text; 0: it does not.
int closeness(const Range& range) {
  if (ascii::equal_ignoring_case(range.type, "text/plain"))
    return range.version.empty() ? 3 : range.version == "0.0.4" ? 4 : 0;
  if (ascii::equal_ignoring_case(range.type, "text/*")) return 2;
  return range.type == "*/*" ? 1 : 0;
}

bool names_openmetrics(const Range& range) {
  return ascii::equal_ignoring_case(range.type, "application/openmetrics-text") &&
         (range.version.empty() || range.version == "1.0.0");
}

}  // namespace

MetricFormat metric_format(std::string_view accept) {
  int openmetrics = 0, text = 0, closest = 0;
  while (!accept.empty()) {
    const Range range = read_range(take(accept, ','));
    if (names_openmetrics(range)) openmetrics = std::max(openmetrics, range.weight);
    if (const int close = closeness(range); close > closest) {
      closest = close;
      text = range.weight;
    }
  }
  return openmetrics > 0 && openmetrics >= text ? MetricFormat::openmetrics : MetricFormat::text;
}

std::string_view content_type(MetricFormat format) {
  return format == MetricFormat::openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                             : "text/plain; version=0.0.4; charset=utf-8";
}

}  // namespace relayd::watch
