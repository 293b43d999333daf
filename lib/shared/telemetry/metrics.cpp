#include "shared/telemetry/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <utility>

#include "shared/mail/utf8.hpp"

namespace relayd::telemetry {

namespace {

constexpr std::string_view rest = "other";

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

std::string_view to_string(MetricKind kind) {
  constexpr std::string_view names[] = {"counter", "gauge", "histogram"};
  return names[static_cast<std::size_t>(kind)];
}

// Names that a configuration may choose as it likes.
bool has_rest(std::string_view label) {
  return label == "upstream" || label == "account" || label == "listener";
}

// What is not UTF-8 would cost the whole text its reader.
std::string escape(std::string_view text, bool quotes) {
  std::string result;
  while (!text.empty()) {
    const auto point = mail::first_code_point(text);
    const std::size_t octets = point ? point->octets : 1;
    const char c = text.front();
    if (!point)
      result += "\xEF\xBF\xBD";  // U+FFFD
    else if (c == '\n')
      result += "\\n";
    else if (c == '\\' || (quotes && c == '"'))
      result.append({'\\', c});
    else
      result += text.substr(0, octets);
    text.remove_prefix(octets);
  }
  return result;
}

}  // namespace

std::string escape_label(std::string_view value) {
  return escape(value, true);
}

std::string escape_help(std::string_view text) {
  return escape(text, false);
}

Family::Family(MetricShape shape) : shape_(std::move(shape)) {
  if (shape_.labels.empty() && shape_.kind != MetricKind::gauge) series({});  // it is 0, not unknown
}

void Family::make_key(Values values, bool is_rest) {
  key_.clear();
  auto label = shape_.labels.begin();
  for (const std::string_view value : values) {
    const std::size_t begin = key_.size();
    key_ += is_rest && has_rest(*label) ? rest : value;
    std::replace(key_.begin() + static_cast<std::ptrdiff_t>(begin), key_.end(), '\0', ' ');
    key_ += '\0';
    ++label;
  }
}

Family::Series& Family::series(Values values) {
  make_key(values, false);
  auto found = series_.find(key_);
  if (found == series_.end() && series_.size() >= shape_.most) {
    make_key(values, true);
    found = series_.find(key_);
  }
  if (found != series_.end()) return found->second;
  Series& fresh = series_[key_];
  if (shape_.kind == MetricKind::histogram) fresh.in_bucket.resize(shape_.bounds.size() + 1);
  return fresh;
}

void Family::add(Values values, double amount) {
  series(values).value += amount;
}

void Family::observe(Values values, double observation) {
  Series& one = series(values);
  one.value += observation;
  const auto bound = std::ranges::lower_bound(shape_.bounds, observation);
  ++one.in_bucket[static_cast<std::size_t>(bound - shape_.bounds.begin())];
}

void Family::observe(Values values, std::span<const std::uint64_t> in_bucket, double sum) {
  Series& one = series(values);
  one.value += sum;
  for (std::size_t i = 0; i < in_bucket.size(); ++i) one.in_bucket[i] += in_bucket[i];
}

// "upstream="office",account="relay"".
std::string Family::labels_of(std::string_view key) const {
  std::string labels;
  for (const std::string_view label : shape_.labels) {
    const std::size_t end = key.find('\0');
    fmt::format_to(std::back_inserter(labels), "{}{}=\"{}\"", labels.empty() ? "" : ",", label,
                   escape_label(key.substr(0, end)));
    key.remove_prefix(end + 1);
  }
  return labels;
}

void Family::render(std::string& out, const std::string& labels, const Series& series) const {
  const auto line = [&](std::string_view suffix, const std::string& more, const std::string& value) {
    const std::string all = labels + (labels.empty() || more.empty() ? "" : ",") + more;
    fmt::format_to(std::back_inserter(out), "{}{}{}{}{} {}\n", shape_.name, suffix, all.empty() ? "" : "{",
                   all, all.empty() ? "" : "}", value);
  };
  if (shape_.kind != MetricKind::histogram) return line("", "", number(series.value));
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < series.in_bucket.size(); ++i) {
    count += series.in_bucket[i];
    const std::string bound = i < shape_.bounds.size() ? number(shape_.bounds[i]) : "+Inf";
    line("_bucket", fmt::format("le=\"{}\"", bound), fmt::format("{}", count));
  }
  line("_sum", "", number(series.value));
  line("_count", "", fmt::format("{}", count));
}

void Family::render(std::string& out) const {
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", shape_.name,
                 escape_help(shape_.help), shape_.name, to_string(shape_.kind));
  std::map<std::string_view, const Series*> sorted;
  for (const auto& [key, one] : series_) sorted.emplace(key, &one);
  for (const auto& [key, one] : sorted) render(out, labels_of(key), *one);
}

std::string render(std::span<const Family> families) {
  std::string out;
  for (const Family& family : families) family.render(out);
  return out;
}

}  // namespace relayd::telemetry
