#include "shared/telemetry/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::telemetry {

namespace {

constexpr std::string_view total = "_total";  // at the end of a counter's name

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

// OpenMetrics has a fraction in each, "1.0", so that whoever compares texts finds one text for one number.
std::string bound_text(double bound, MetricFormat format) {
  std::string text = number(bound);
  if (format == MetricFormat::openmetrics && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
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
void escape(std::string_view text, bool quotes, std::string& out) {
  const auto is_plain = [](char c) { return ascii::is_ascii(c) && c != '\n' && c != '\\' && c != '"'; };
  if (std::ranges::all_of(text, is_plain)) {  // as nearly all are
    out += text;
    return;
  }
  while (!text.empty()) {
    const auto point = mail::first_code_point(text);
    const std::size_t octets = point ? point->octets : 1;
    const char c = text.front();
    if (!point)
      out += "\xEF\xBF\xBD";  // U+FFFD
    else if (c == '\n')
      out += "\\n";
    else if (c == '\\' || (quotes && c == '"'))
      out.append({'\\', c});
    else
      out += text.substr(0, octets);
    text.remove_prefix(octets);
  }
}

}  // namespace

std::string escape_label(std::string_view value) {
  std::string escaped;
  escape(value, true, escaped);
  return escaped;
}

std::string escape_help(std::string_view text) {
  std::string escaped;
  escape(text, false, escaped);
  return escaped;
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

void Family::add_least(Values values, double value) {
  const std::size_t before = size();
  Series& one = series(values);
  one.value = size() > before ? value : std::min(one.value, value);
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

Family::Sum Family::sum(std::string_view label, std::string_view value) const {
  const auto before = std::ranges::find(shape_.labels, label) - shape_.labels.begin();
  Sum all;
  for (const auto& [key, one] : series_) {
    std::string_view rest_of_key = key;
    for (auto i = before; i > 0; --i) rest_of_key.remove_prefix(rest_of_key.find('\0') + 1);
    if (rest_of_key.substr(0, rest_of_key.find('\0')) != value) continue;
    all.value += one.value;
    all.observations = std::accumulate(one.in_bucket.begin(), one.in_bucket.end(), all.observations);
  }
  return all;
}

double Family::value(Values values) const {
  std::string key;
  for (const std::string_view value : values) (key += value) += '\0';
  const auto found = series_.find(key);
  return found == series_.end() ? 0 : found->second.value;
}

// "upstream="office",account="relay"".
std::string Family::labels_of(std::string_view key) const {
  std::string labels;
  for (const std::string_view label : shape_.labels) {
    const std::size_t end = key.find('\0');
    labels.append(labels.empty() ? "" : ",").append(label).append("=\"");
    escape(key.substr(0, end), true, labels);
    labels += '"';
    key.remove_prefix(end + 1);
  }
  return labels;
}

// OpenMetrics names a counter without the suffix of its samples, and tells the unit that is in a name.
void Family::render_head(std::string& out, MetricFormat format) const {
  const auto head = [&out](std::string_view key, std::string_view name, std::string_view value) {
    fmt::format_to(std::back_inserter(out), "# {} {} {}\n", key, name, value);
  };
  if (format == MetricFormat::text) {
    head("HELP", shape_.name, escape_help(shape_.help));
    return head("TYPE", shape_.name, to_string(shape_.kind));
  }
  std::string_view name = shape_.name;
  if (shape_.kind == MetricKind::counter && name.ends_with(total)) name.remove_suffix(total.size());
  head("TYPE", name, to_string(shape_.kind));
  for (const std::string_view unit : {"seconds", "bytes"})
    if (name.ends_with(unit)) head("UNIT", name, unit);
  head("HELP", name, escape_label(shape_.help));
}

void Family::render(std::string& out, MetricFormat format, const std::string& labels,
                    const Series& series) const {
  const auto line = [&](std::string_view suffix, const std::string& more, const std::string& value) {
    const bool has_labels = !labels.empty() || !more.empty();
    out.append(shape_.name).append(suffix).append(has_labels ? "{" : "").append(labels);
    out.append(labels.empty() || more.empty() ? "" : ",").append(more).append(has_labels ? "} " : " ");
    out.append(value) += '\n';
  };
  if (shape_.kind != MetricKind::histogram) return line("", "", number(series.value));
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < series.in_bucket.size(); ++i) {
    count += series.in_bucket[i];
    const std::string bound = i < shape_.bounds.size() ? bound_text(shape_.bounds[i], format) : "+Inf";
    line("_bucket", fmt::format("le=\"{}\"", bound), fmt::format("{}", count));
  }
  line("_sum", "", number(series.value));
  line("_count", "", fmt::format("{}", count));
}

void Family::render(std::string& out, MetricFormat format) const {
  render_head(out, format);
  std::vector<std::pair<std::string_view, const Series*>> sorted;
  sorted.reserve(series_.size());
  for (const auto& [key, one] : series_) sorted.emplace_back(key, &one);
  std::ranges::sort(sorted);
  for (const auto& [key, one] : sorted) render(out, format, labels_of(key), *one);
}

std::string render(std::span<const Family> families, MetricFormat format) {
  std::string out;
  for (const Family& family : families) family.render(out, format);
  return out;
}

}  // namespace relayd::telemetry
