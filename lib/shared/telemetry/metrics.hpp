// Metrics: counters, gauges and histograms as values, and their text in the formats that Prometheus reads.
//
// Stands under the rooms that count (tell, watch). A Family is one name with all its series, one for each set
// of label values. Its owner has it on one thread; who wants to read it elsewhere copies it. Labels name
// upstreams, accounts, classes and the like, never an address of mail or an id. However many accounts there
// are, the series are not more than `most`: what would be one more counts as `rest`. Adding to a series that
// is there allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace relayd::telemetry {

// What is one too many counts as that of this upstream, account or listener.
inline constexpr std::string_view rest = "other";

enum class MetricKind { counter, gauge, histogram };

enum class MetricFormat {
  text,         // Prometheus's own, 0.0.4
  openmetrics,  // OpenMetrics 1.0
};

// Texts live as long as the program.
struct MetricShape {
  MetricKind kind = MetricKind::counter;
  std::string_view name;  // relayd_…, in base units; of a counter it ends in _total
  std::string_view help;
  std::vector<std::string_view> labels = {};
  std::vector<double> bounds = {};  // histogram: upper bounds of its buckets, ascending, without +Inf
  std::size_t most = 2000;          // series
};

class Family {
 public:
  explicit Family(MetricShape shape);

  // As many values as labels, in their order. An empty one stands for a label that does not apply.
  using Values = std::initializer_list<std::string_view>;
  void add(Values values, double amount = 1);       // a counter or a gauge
  void add_least(Values values, double value);      // a gauge that is the least of what it is told
  void observe(Values values, double observation);  // a histogram
  // The same of what was counted elsewhere: how many in each bucket, the last without a bound, and their sum.
  void observe(Values values, std::span<const std::uint64_t> in_bucket, double sum);

  // All series together that have this value of the label.
  struct Sum {
    double value = 0;
    std::uint64_t observations = 0;  // of a histogram, whose value is what was observed, added up
  };
  Sum sum(std::string_view label, std::string_view value) const;
  // Of one series; 0: nothing was added to it.
  double value(Values values) const;

  const MetricShape& shape() const { return shape_; }
  std::size_t size() const { return series_.size(); }

  // What the format says of it, and its samples by their labels.
  void render(std::string& out, MetricFormat format = MetricFormat::text) const;

 private:
  struct Series {
    double value = 0;                           // of a histogram: the sum
    std::vector<std::uint64_t> in_bucket = {};  // each for itself; the last is +Inf
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  Series& series(Values values);
  void make_key(Values values, bool is_rest);
  void render_head(std::string& out, MetricFormat format) const;
  void render(std::string& out, MetricFormat format, const std::string& labels, const Series& series) const;
  std::string labels_of(std::string_view key) const;

  MetricShape shape_;
  std::unordered_map<std::string, Series, Hash, std::equal_to<>>
      series_;       // by values, each with '\0' behind it
  std::string key_;  // its room is kept
};

// One text of all, in their order; each name is there once. Of OpenMetrics it lacks the end, "# EOF\n".
std::string render(std::span<const Family> families, MetricFormat format = MetricFormat::text);

// As label values and help texts have it.
std::string escape_label(std::string_view value);
std::string escape_help(std::string_view text);

}  // namespace relayd::telemetry
